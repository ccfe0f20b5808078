"""The tests inside pipeline files: a message, what scanners are to say of it, and what is expected to be done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from postroom import testing
from postroom.errors import Located, Misconfigured, PostroomError, Problem
from postroom.model import Model
from postroom.pipeline.plan import Line, Plan
from postroom.pipeline.planner import plan
from postroom.pipeline.view import Envelope, Facts
from postroom.settings import Loaded, PipelineFile
from postroom.settings.sentences import problems
from postroom.units import Size

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def _instant(value: object) -> object:
    """A day or a time as text; a day means its start, without a zone it is UTC."""
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a day or a time is expected here: 2026-03-01, 2026-03-01T09:30") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


class AttachmentText(Model):
    """An attachment of a short message; one without contents is made, of the type's first octets and of this size."""

    name: str
    type: str = ""
    content: str | None = None
    size: Size | None = None


class ShortMessage(Model):
    """A message in a few words: from Ann to Bob, subject and text `Hello`, where nothing else is said. A field under
    `headers` takes the place of one that would be made."""

    model_config = ConfigDict(title="Message of a test")

    from_: Several = Field(default=("ann@example.org",), alias="from")
    to: Several = ("bob@example.com",)
    cc: Several = ()
    subject: str | None = "Hello"
    text: str | None = "Hello.\n"
    html: str | None = None
    headers: Mapping[str, Several] = {}
    attachments: tuple[str | AttachmentText, ...] = ()
    date: Instant | None = None
    sender: str | None = None
    recipient: Several = ()
    mailbox: str = "test"
    folder: str = ""
    flags: Several = ()

    def raw(self, now: datetime) -> bytes:
        """RFC 5322."""
        attachments = [
            each
            if isinstance(each, str)
            else testing.Attachment(each.name, each.type, _octets(each.content), each.size)
            for each in self.attachments
        ]
        return testing.message(
            from_=self.from_ or None,
            to=self.to or None,
            cc=self.cc or None,
            subject=self.subject,
            text=self.text,
            html=self.html,
            headers=self.headers,
            attachments=attachments,
            date=self.date or now,
        )


# What may stand beside `file`: how a message arrived does not show in its bytes.
_ARRIVAL = frozenset({"sender", "recipient", "mailbox", "folder", "flags"})


class Case(Model):
    """One test. `message` in a few words, or `file`: a whole one beside the pipeline. `facts` are known from the start,
    and no scanner that leaves the process runs. `expect`: edits and effects in order, each its word or its word and
    target as `explain` prints it; an implicit `keep` may be left out."""

    name: str = ""
    message: ShortMessage = ShortMessage()
    file: str | None = None
    facts: Facts = Facts()
    now: Instant = NOW
    expect: Several = ()

    @model_validator(mode="after")
    def _expecting(self) -> Self:
        if "expect" not in self.model_fields_set:
            raise ValueError("a test says what it expects: `expect: [move Junk]`, or `expect: []` for nothing")
        if self.file is not None and (made := sorted(self.message.model_fields_set - _ARRIVAL)):
            raise ValueError(f"the message is in `file`: leave out `{made[0].rstrip('_')}`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a test went. `diff`: where it failed, all lines in order: `-` was expected and is missing, `+` came
    unexpected, `!` is why there is no plan at all."""

    pipeline: str
    number: int
    name: str
    diff: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.diff


def run(loaded: Loaded) -> Iterator[Verdict]:
    """Run all tests of a pipeline, as far as it has any. Raises Misconfigured where one is written wrongly."""
    for number, case in enumerate(read(loaded.file), 1):
        raw = _file(loaded.file, case.file, number) if case.file else case.message.raw(case.now)
        try:
            diff = compare(case.expect, _plan(case, raw, loaded).lines)
        except PostroomError as error:
            diff = (f"! {error}",)
        told = case.name or case.file or case.message.subject or ""
        yield Verdict(pipeline=loaded.file.pipeline.name, number=number, name=told, diff=diff)


def read(file: PipelineFile) -> list[Case]:
    """The tests of a file, or everything that is wrong with them."""
    cases: list[Case] = []
    wrong: list[Located] = []
    for number, data in enumerate(file.tests):
        try:
            cases.append(Case.model_validate(data))
        except ValidationError as error:
            for problem in problems(error, dict(data), Case):
                trail = ("tests", number, *problem.path)
                wrong.append(file.source.locate(Problem(trail, problem.text, problem.key)))
    if wrong:
        raise Misconfigured(wrong)
    return cases


def compare(expected: Sequence[str], lines: Sequence[Line]) -> tuple[str, ...]:
    """Nothing where the plan does what was expected, in order; else both, one below the other."""
    wanted = [" ".join(text.removesuffix("(implicit)").split()) for text in expected]
    got = [line for line in lines if not line.implicit or "keep" in wanted]
    told = tuple(_aligned(wanted, got))
    return told if any(line[0] != " " for line in told) else ()


def _aligned(wanted: Sequence[str], got: Sequence[Line]) -> Iterator[str]:
    """Both in order, with as many pairs as there can be."""
    common = [[0] * (len(got) + 1) for _ in range(len(wanted) + 1)]
    for i, text in reversed([*enumerate(wanted)]):
        for j, line in reversed([*enumerate(got)]):
            pair = common[i + 1][j + 1] + 1 if _meant(text, line) else 0
            common[i][j] = max(pair, common[i + 1][j], common[i][j + 1])
    i = j = 0
    while i < len(wanted) or j < len(got):
        if i < len(wanted) and j < len(got) and _meant(wanted[i], got[j]):
            yield f"  {wanted[i]}"
            i, j = i + 1, j + 1
        elif j == len(got) or (i < len(wanted) and common[i + 1][j] >= common[i][j + 1]):
            yield f"- {wanted[i]}"
            i += 1
        else:
            yield f"+ {_spelled(got[j])}"
            j += 1


def _meant(text: str, line: Line) -> bool:
    return text in (line.word, _spelled(line))


def _spelled(line: Line) -> str:
    return " ".join(f"{line.word} {line.target}".split())


def _plan(case: Case, raw: bytes, loaded: Loaded) -> Plan:
    short = case.message
    tools = testing.tools(given=case.facts, clock=lambda: case.now)
    view = testing.view(
        raw,
        envelope=Envelope(sender=short.sender, recipients=short.recipient),
        mailbox=short.mailbox,
        folder=short.folder,
        flags=frozenset(short.flags),
        facts=case.facts,
        received=case.now,
        now=case.now,
    )
    return plan(loaded.pipelines, loaded.file.pipeline.name, view, tools)


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _file(file: PipelineFile, name: str, number: int) -> bytes:
    try:
        return (file.path.parent / name).read_bytes()
    except OSError as error:
        problem = Problem(("tests", number - 1, "file"), f"cannot be read: {error.strerror}")
        raise Misconfigured([file.source.locate(problem)]) from None

"""The tests inside pipeline files: a message, what scanners are to say of it, and what is expected to be done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from postroom import testing
from postroom.errors import Located, Misconfigured, Problem
from postroom.message import parse
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
    """A message in a few words; what is left out is made up."""

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
            else testing.Attachment(each.name, each.type, each.content.encode() if each.content else None, each.size)
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


class Case(Model):
    """One test. `message` in a few words or `file` beside the pipeline; `expect`: edits and effects in order, each its
    word or its word and target as `explain` prints it. An implicit `keep` may be left out."""

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
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a test went. `diff`: lines that begin with `-` were expected and missing, with `+` came unexpected."""

    pipeline: str
    number: int
    name: str
    diff: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.diff


def run(loaded: Loaded) -> Iterator[Outcome]:
    """Run all tests of a pipeline, as far as it has any. Raises Misconfigured where a test is written wrongly."""
    cases = read(loaded.file)
    for number, case in enumerate(cases, 1):
        made = _planned(case, loaded, number)
        told = case.name or case.file or case.message.subject or ""
        diff = tuple(compare(case.expect, made.lines))
        yield Outcome(pipeline=loaded.file.pipeline.name, number=number, name=told, diff=diff)


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


def compare(expected: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    """The differences between what was expected and what the plan does, in order."""
    got = [(line.word, f"{line.word} {line.target}".rstrip(), line.implicit) for line in lines]
    wanted = [text.removesuffix("(implicit)").rstrip() for text in expected]
    if "keep" not in wanted:
        got = [each for each in got if not each[2]]
    left = list(wanted)
    differs = len(left) != len(got)
    for (word, whole, _), text in zip(got, left, strict=False):
        differs = differs or text not in (word, whole)
    if differs:
        from difflib import ndiff

        spelled = [word if word in wanted and whole not in wanted else whole for word, whole, _ in got]
        yield from (line.rstrip("\n") for line in ndiff(wanted, spelled) if not line.startswith("?"))


def _planned(case: Case, loaded: Loaded, number: int) -> Plan:
    short = case.message
    raw = _file(loaded.file, case.file, number) if case.file else short.raw(case.now)
    message = parse(raw)
    given: dict[str, Any] = {
        "envelope": Envelope(sender=short.sender, recipients=short.recipient),
        "mailbox": short.mailbox,
        "folder": short.folder,
        "flags": frozenset(short.flags),
        "received": case.now,
        "now": case.now,
    }
    tools = testing.tools(given=case.facts, clock=lambda: case.now)
    view = testing.view(raw, **given, message=message)
    return plan(loaded.pipelines, loaded.file.pipeline.name, view, tools)


def _file(file: PipelineFile, name: str, number: int) -> bytes:
    path = file.path.parent / name
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = Problem(("tests", number - 1, "file"), f"`{name}` cannot be read: {error.strerror}")
        raise Misconfigured([file.source.locate(problem)]) from None

"""The tests inside pipeline files, run: what each expects beside what the plan does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postroom import testing
from postroom.errors import Misconfigured, PostroomError
from postroom.pipeline.plan import Line, Plan
from postroom.pipeline.planner import plan
from postroom.pipeline.view import Envelope
from postroom.settings import Loaded
from postroom.settings.cases import Case, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a test went. `diff`: where it failed, all lines in order: `-` was expected and is missing, `+` came
    unexpected, `!` is why there is no plan at all, `?` is what a rule remarks, or why nobody can decide it."""

    pipeline: str
    number: int
    name: str
    diff: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.diff


def run(loaded: Loaded) -> Iterator[Verdict]:
    """Run all tests of a pipeline, as far as it has any. Raises Misconfigured where one is written wrongly."""
    cases, wrong = read(loaded.file)
    if wrong:
        raise Misconfigured(wrong)
    for number, case in enumerate(cases, 1):
        try:
            made = _plan(case, case.raw(loaded.file.path.parent), loaded)
            diff = compare(case.expect, made.lines)
            diff = (*diff, *_reasons(made)) if diff else ()
        except PostroomError as error:
            diff = (f"! {error}",)
        told = case.name or case.file or case.message.subject or ""
        yield Verdict(pipeline=loaded.file.pipeline.name, number=number, name=told, diff=diff)


def compare(expected: Sequence[str], lines: Sequence[Line]) -> tuple[str, ...]:
    """Nothing where the plan does what was expected, in order; else both, one below the other."""
    wanted = [" ".join(text.removesuffix("(implicit)").split()) for text in expected]
    got = [line for line in lines if not line.implicit or "keep" in wanted]
    told = tuple(_aligned(wanted, got))
    if all(line[0] == " " for line in told):
        return ()
    return (*told, *(f"  {line}" for line in lines if line not in got))


def _reasons(made: Plan) -> Iterator[str]:
    """What rules remark, and those that could not be decided, as nobody said the fact that they ask about."""
    for trace in made.trace.rules:
        yield from (f"? {trace.rule}: {note}" for note in trace.notes)
        if trace.held is None:
            asked = ", ".join(one.condition for one in trace.asked if one.held is None)
            yield f"? {trace.rule}: `{asked}` is unknown; `facts` may say it"


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

"""The planning loop: rules over one message, in order, to a plan. It changes nothing in the world."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import assert_never

from postroom.message import edited, in_original, parse
from postroom.pipeline.condition import Why
from postroom.pipeline.decisions import Decisions
from postroom.pipeline.outcome import Copy, Edited, Effect, Fact, Flags, Note, Outcome, Place, Run, Stop
from postroom.pipeline.pipeline import Pipeline, Pipelines, Rule
from postroom.pipeline.plan import Asked, Plan, RuleTrace, Trace
from postroom.pipeline.step import Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View

CUT = "patterns saw the start of the body only, see `limits: {match: …}`"
DEEPEST = 50  # pipelines that run pipelines; loops are refused when the files are read


@dataclass(frozen=True, slots=True)
class Explained:
    """A plan, and every rule that was asked with its reasons (None: it has no condition)."""

    plan: Plan
    rules: tuple[tuple[RuleTrace, Why | None], ...]


def plan(pipelines: Pipelines, name: str, view: View, tools: Tools) -> Plan:
    """What the pipeline decides about this message. Raises what its steps raise: Temporary, Held."""
    return _Planning(pipelines, view, tools, detail=False).plan(name)


def explain(pipelines: Pipelines, name: str, view: View, tools: Tools) -> Explained:
    """The same, by the same code, with every rule and its reasons."""
    planning = _Planning(pipelines, view, tools, detail=True)
    return Explained(planning.plan(name), tuple(zip(planning.traces, planning.whys, strict=True)))


class _Planning:
    """One message on its way through the rules. `raw` stays: every edit is of the original."""

    def __init__(self, pipelines: Pipelines, view: View, tools: Tools, *, detail: bool) -> None:
        self.pipelines = pipelines
        self.tools = tools
        self.detail = detail
        self.raw = view.message.raw
        self.view = view.placed(tools.timezone, tools.match_limit)
        self.decisions = Decisions(view.key, view.home, view.flags)
        self.traces: list[RuleTrace] = []
        self.whys: list[Why | None] = []
        self.passed = 0

    def plan(self, name: str) -> Plan:
        self.through(name, 0)
        effects, settlement = self.decisions.settle()
        return Plan(
            pipeline=name,
            version=self.pipelines[name].version,
            edits=tuple(self.decisions.edits),
            effects=effects,
            lines=tuple(self.decisions.lines),
            facts=self.view.facts,
            trace=Trace(rules=tuple(t for t in self.traces if t.held is not False), passed=self.passed),
            settlement=settlement,
        )

    def through(self, name: str, depth: int) -> bool:
        """Go through a pipeline's rules; False once a step said stop."""
        pipeline = self.pipelines[name]
        for rule in self.rules(pipeline):
            match = self.ask(name, rule)
            if match is None:
                continue
            trace, outer = len(self.traces) - 1, self.view.match
            self.view = self.view.matching(match)
            if not all(self.timed(rule, step, depth, trace) for step in rule.do):
                return False
            self.view = self.view.matching(outer)
            if pipeline.match == "first":
                break
        return True

    def rules(self, pipeline: Pipeline) -> Iterator[Rule]:
        """Those that can hold, in order; the others are passed. An edit in between changes which those are."""
        if self.detail:
            yield from pipeline.rules
            return
        at = 0
        while (number := pipeline.index.after(self.view, at)) is not None:
            self.passed += number - at
            at = number + 1
            yield pipeline.rules[number]
        self.passed += len(pipeline.rules) - at

    def timed(self, rule: Rule, step: Step, depth: int, trace: int) -> bool:
        """Do one step, and tell how long it took."""
        began = perf_counter()
        goes_on = self.take(rule, step, depth, trace)
        self.tools.stepped(step.word, perf_counter() - began)
        return goes_on

    def take(self, rule: Rule, step: Step, depth: int, trace: int) -> bool:
        """Do one step; False where it ends the plan. Every kind of outcome is here."""
        before = tuple(self.decisions.edits)
        for outcome in self.outcomes(step):
            match outcome:
                case Fact():
                    self.view = self.view.learning(outcome.facts)
                case Edited():
                    edit = in_original(outcome.edit, before)
                    self.decisions.edit(rule.name, step.word, edit, outcome.target)
                    self.show_edited()
                case Effect():
                    self.decisions.act(rule.name, outcome)
                case Place():
                    if replaced := self.decisions.put(rule.name, outcome):
                        self.note(trace, f"takes the place of an earlier `{replaced}`")
                case Copy():
                    self.decisions.copy(rule.name, outcome)
                case Flags():
                    for flag in self.decisions.flag(rule.name, outcome):
                        self.note(trace, f"{flag} is a keyword that the mailbox cannot hold")
                case Note():
                    self.note(trace, outcome.text)
                case Run():
                    if depth >= DEEPEST:
                        self.note(trace, f"{outcome.pipeline} is not run: pipelines run each other too deeply")
                    elif not self.through(outcome.pipeline, depth + 1):
                        return False
                case Stop():
                    return False
                case _:
                    assert_never(outcome)
        return True

    def outcomes(self, step: Step) -> Iterator[Outcome]:
        """What the step says; for a scanner that leaves the process, what a test gives in its place."""
        given = self.tools.given
        if given is None or not step.leaves:
            yield from step.plan(self.view, self.tools)
            return
        names = {fact.removeprefix("script.") for fact in step.gives()}
        yield Fact(Facts(script={name: value for name, value in given.script.items() if name in names}))

    def ask(self, pipeline: str, rule: Rule) -> Mapping[str, str] | None:
        """The named groups of a rule that holds; None where it does not hold, or nobody can know."""
        answer = rule.when.ask(self.view) if rule.when is not None else None
        held = answer.held if answer is not None else True
        if held is False:
            self.passed += 1
        if held is not False or self.detail:
            labels = rule.when.labels() if rule.when is not None and held is not False else ()
            asked = tuple(Asked(condition=label, held=held) for label in labels)
            notes = (CUT,) if self.view.memo.get("body is cut") else ()
            self.traces.append(RuleTrace(pipeline=pipeline, rule=rule.name, held=held, asked=asked, notes=notes))
            self.whys.append(answer.why() if answer is not None and self.detail else None)
        if not held:
            return None
        return answer.match if answer is not None else {}

    def note(self, trace: int, text: str) -> None:
        before = self.traces[trace]
        self.traces[trace] = before.model_copy(update={"notes": (*before.notes, text)})

    def show_edited(self) -> None:
        """Let later steps see the message with all edits so far; it is made when somebody looks."""
        raw, edits, limits = self.raw, tuple(self.decisions.edits), self.tools.limits
        made: list[bytes] = []

        def look() -> bytes:
            if not made:
                made.append(b"".join(edited(raw, edits, limits=limits)))
            return made[0]

        self.view = self.view.showing_later(lambda: parse(look(), limits=limits))

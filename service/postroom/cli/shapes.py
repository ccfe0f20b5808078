"""What commands print for programs with --json: names that stay, and no content of a message."""

from datetime import datetime
from typing import Self

from pydantic import Field, JsonValue

from postroom.errors import Located
from postroom.ledger import EffectRow, EffectState, Shown, State
from postroom.message import Message
from postroom.model import Model
from postroom.pipeline.condition import Why
from postroom.pipeline.outcome import Receipt
from postroom.pipeline.plan import Line, Plan, RuleTrace
from postroom.pipeline.planner import Explained
from postroom.pipeline.view import Facts
from postroom.trial import Verdict


class EffectShape(Model):
    """One thing that was to be done."""

    ordinal: int = Field(description="Its place in the plan; negative: of an earlier plan.")
    key: str = Field(description="Names it: equal when planned again.")
    word: str = Field(description="The step's word, mostly.")
    target: str = Field(description="Where to.")
    state: EffectState = Field(description="How far it came.")
    tries: int = Field(description="How often it failed for the time being.")
    uncertain: bool = Field(description="Whether it may have been done although nobody could say so.")
    error: str | None = Field(description="Why it failed last.")
    queue_id: str | None = Field(description="What the next server calls the message that it took.")

    @classmethod
    def of(cls, effect: EffectRow) -> Self:
        record = effect.record
        return cls(
            ordinal=record.ordinal,
            key=record.key,
            word=record.word,
            target=record.target,
            state=effect.state,
            tries=effect.tries,
            uncertain=effect.uncertain,
            error=effect.error,
            queue_id=queue_id(effect),
        )


def queue_id(effect: EffectRow) -> str | None:
    """What the next server calls the message; None where it did not say, or there is none."""
    return Receipt.model_validate_json(effect.receipt).queue_id or None if effect.receipt else None


def detail(effect: EffectRow) -> str:
    """What came of it, in our words or the next server's."""
    return Receipt.model_validate_json(effect.receipt).detail if effect.receipt else ""


class MessageShape(Model):
    """One message of the ledger."""

    id: int = Field(description="Its number.")
    mailbox: str = Field(description="The mailbox that it came from.")
    pipeline: str = Field(description="The pipeline that it went through.")
    state: State = Field(description="How far it came.")
    outcome: str | None = Field(description="`kept`, `moved`, `gone` …, once that is known.")
    received: str = Field(description="When it came (ISO 8601).")
    finished: str | None = Field(description="When all was done (ISO 8601).")
    message_id: str | None = Field(description="Its Message-ID.")
    sender: str | None = Field(description='The envelope\'s sender; "" is the null one, `null`: not known.')
    recipients: tuple[str, ...] = Field(description="The envelope's recipients.")
    size: int = Field(description="Octets.")
    sha256: str | None = Field(description="Of its octets.")
    error: str | None = Field(description="Why it failed last.")
    plan: tuple[Line, ...] = Field(description="What the rules decided, in order; `rule`: which one.")
    effects: tuple[EffectShape, ...] = Field(description="What was to be done by a worker, in order.")

    @classmethod
    def of(cls, shown: Shown) -> Self:
        row = shown.row
        return cls(
            id=row.id,
            mailbox=row.mailbox,
            pipeline=row.pipeline,
            state=row.state,
            outcome=row.outcome,
            received=row.received_at.isoformat(),
            finished=_iso(row.finished_at),
            message_id=row.message_id,
            sender=row.sender,
            recipients=row.recipients,
            size=row.size,
            sha256=row.sha256,
            error=row.error,
            plan=Plan.model_validate_json(row.plan).lines if row.plan else (),
            effects=tuple(map(EffectShape.of, shown.effects)),
        )


class WhyShape(Model):
    """One line of the reasons."""

    asked: str = Field(description="The operator's words.")
    held: bool | None = Field(description="The answer; `null`: nobody can tell.")
    compared: str = Field(description="The values that it was compared with.")
    parts: tuple["WhyShape", ...] = Field(description="The answers that it was made of.")

    @classmethod
    def of(cls, why: Why) -> Self:
        parts = tuple(map(WhyShape.of, why.parts))
        return cls(asked=why.asked, held=why.held, compared=why.compared, parts=parts)


class RuleShape(RuleTrace):
    """One rule that was asked."""

    why: WhyShape | None = Field(description="The reasons; `null`: the rule has no condition.")


class ExplanationShape(Model):
    """One message and what would be done with it."""

    file: str = Field(description="Where it was read from.")
    message: JsonValue = Field(description="The message as a library gives it, see below.")
    rules: tuple[RuleShape, ...] = Field(description="Every rule that was asked, in order.")
    facts: Facts = Field(description="What scanning steps found.")
    plan: tuple[Line, ...] = Field(description="What would be done, in order.")

    @classmethod
    def of(cls, file: str, message: Message, explained: Explained) -> Self:
        rules = (
            RuleShape(**dict(trace), why=None if why is None else WhyShape.of(why)) for trace, why in explained.rules
        )
        return cls(
            file=file,
            message=message.model_dump(mode="json"),
            rules=tuple(rules),
            facts=explained.plan.facts,
            plan=explained.plan.lines,
        )


class ProblemShape(Model):
    """One thing that is wrong."""

    file: str = Field(description="The file that it stands in.")
    line: int = Field(description="From 1.")
    column: int = Field(description="From 1.")
    path: tuple[str | int, ...] = Field(description="Keys and list indexes that lead to it.")
    text: str = Field(description="What is wrong, and the remedy.")

    @classmethod
    def of(cls, one: Located) -> Self:
        problem = one.problem
        return cls(file=one.file, line=one.line, column=one.column, path=problem.path, text=problem.text)


class ConnectionShape(Model):
    """One thing that `--connect` tried."""

    name: str = Field(description="`ledger`, `spool`, `queue`, or `mailbox` and its name.")
    works: bool = Field(description="Whether it can be used.")
    text: str = Field(description="What was found, or what is wrong.")


class CheckShape(Model):
    """All that was looked at."""

    file: str = Field(description="The settings.")
    problems: tuple[ProblemShape, ...] = Field(description="Everything that is wrong.")
    notes: tuple[ProblemShape, ...] = Field(description="What is worth a look: secrets that are not there yet.")
    mailboxes: dict[str, str] = Field(description="Each mailbox and its pipeline.")
    pipelines: dict[str, int] = Field(description="Each pipeline and the number of its rules.")
    connections: tuple[ConnectionShape, ...] = Field(description="What `--connect` tried; else none.")


class SeenShape(Model):
    """One mailbox, as its watcher saw it last."""

    mailbox: str = Field(description="Its name.")
    kind: str = Field(description="`imap`, `pop3`, `maildir` or `listener`.")
    state: str = Field(
        description="`connected`, `listening`, `connecting`, `refused`, `paused`, or `not watched` by anybody now."
    )
    reason: str | None = Field(description="Why it is refused or paused.")
    since: str | None = Field(description="When it connected, or lost the connection (ISO 8601).")
    looked: str | None = Field(description="When it was last looked through to its end (ISO 8601).")
    in_flight: int = Field(description="Messages that are worked on now.")
    unsettled: int = Field(description="Messages that have not come to their end.")
    oldest_seconds: float = Field(description="How long the oldest of these is here.")
    reconnects: int = Field(description="Connections that were lost since its watcher began.")


class StatusShape(Model):
    """Everything at one moment."""

    time: str = Field(description="When (ISO 8601).")
    mailboxes: tuple[SeenShape, ...] = Field(description="All but standard input.")
    messages: dict[State, int] = Field(description="How many messages are in each state.")
    effects_pending: int = Field(description="Effects that are not done yet.")
    dead_letters: int = Field(description="Messages set aside for a person.")
    oldest_due_seconds: float | None = Field(
        description="How long the message that has waited longest could have been worked on."
    )
    queue_length: int | None = Field(
        description="Tasks that wait; `null` where nobody outside can ask, or none answers."
    )
    queue_error: str | None = Field(description="Why the queue does not answer.")
    spool_free_bytes: int = Field(description="Space on the disk of the spool.")


class VerdictShape(Model):
    """One test of a pipeline."""

    pipeline: str = Field(description="The pipeline.")
    number: int = Field(description="Its place in the file, from 1.")
    name: str = Field(description="What it is called.")
    passed: bool = Field(description="How it went.")
    diff: tuple[str, ...] = Field(
        description="Where it failed, all lines: `-` is missing, `+` was not expected, `?` says what a rule remarks."
    )

    @classmethod
    def of(cls, one: Verdict) -> Self:
        return cls(pipeline=one.pipeline, number=one.number, name=one.name, passed=one.passed, diff=one.diff)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None

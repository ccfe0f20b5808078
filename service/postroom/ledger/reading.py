"""From the database's rows to values."""

from typing import Any

from sqlalchemy import ColumnElement

from postroom.ledger.columns import envelope, instant, moment
from postroom.ledger.database import Now
from postroom.ledger.rows import EffectRecord, EffectRow, EffectState, Row, State
from postroom.ledger.tables import effect, message

# A plan may be long; lists of rows leave it out.
LISTED: tuple[ColumnElement[Any], ...] = tuple(
    column for column in message.c if column.name not in {"plan", "rung_at", "owner", "epoch", "lease_until"}
)
CLAIMED: tuple[ColumnElement[Any], ...] = (*LISTED, message.c.plan, message.c.epoch)
EFFECT: tuple[ColumnElement[Any], ...] = (*effect.c, (effect.c.next_try_at <= Now()).label("due"))


def row(found: Any, *, plan: str | None = None) -> Row:
    """A message's row of at least the columns of LISTED."""
    sender, recipients = envelope(found.envelope)
    return Row(
        id=found.id,
        mailbox=found.mailbox,
        source_key=found.source_key,
        state=State(found.state),
        outcome=found.outcome,
        pipeline=found.pipeline,
        store=found.store,
        folder=found.folder,
        flags=frozenset(found.flags.split()),
        sender=sender,
        recipients=recipients,
        prefix=found.prefix,
        blob=found.blob,
        sha256=found.sha256,
        size=found.size,
        message_id=found.message_id,
        received_at=instant(found.received_at),
        plan=plan,
        planned_at=moment(found.planned_at),
        crashes=found.crashes,
        tries=found.tries,
        next_try_at=moment(found.next_try_at),
        error=found.error,
        finished_at=moment(found.finished_at),
    )


def effect_row(found: Any) -> EffectRow:
    """An effect's row of the columns of EFFECT."""
    return EffectRow(
        id=found.id,
        message=found.message,
        record=EffectRecord(
            key=found.key,
            ordinal=found.ordinal,
            word=found.word,
            target=found.target,
            place=found.place,
            repeatable=found.repeatable,
            edits=found.edits,
            detail=found.detail,
        ),
        state=EffectState(found.state),
        uncertain=found.uncertain,
        crashes=found.crashes,
        tries=found.tries,
        first_try_at=moment(found.first_try_at),
        next_try_at=moment(found.next_try_at),
        due=bool(found.due),
        receipt=found.receipt,
        error=found.error,
    )

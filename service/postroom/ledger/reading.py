"""From the database's rows to values."""

from postroom.ledger.columns import envelope, instant, moment
from postroom.ledger.database import Found
from postroom.ledger.rows import EffectRecord, EffectRow, EffectState, Row, State

# A plan may be long; lists of rows leave it out.
LISTED = (
    "id, mailbox, source_key, state, outcome, pipeline, store, folder, flags, envelope, prefix, blob, sha256, size, "
    "message_id, received_at, planned_at, crashes, tries, next_try_at, error, finished_at"
)
EFFECT = (
    "id, message, ordinal, key, word, target, place, repeatable, edits, detail, state, uncertain, crashes, tries, "
    "first_try_at, next_try_at, receipt, error, (next_try_at <= NOW) AS due"
)


def row(found: Found, *, plan: str | None = None, crashes: int | None = None) -> Row:
    """A message's row of at least the columns of LISTED. `crashes`: where the row has another number by now."""
    sender, recipients = envelope(found["envelope"])
    return Row(
        id=found["id"],
        mailbox=found["mailbox"],
        source_key=found["source_key"],
        state=State(found["state"]),
        outcome=found["outcome"],
        pipeline=found["pipeline"],
        store=found["store"],
        folder=found["folder"],
        flags=frozenset(found["flags"].split()),
        sender=sender,
        recipients=recipients,
        prefix=found["prefix"],
        blob=found["blob"],
        sha256=found["sha256"],
        size=found["size"],
        message_id=found["message_id"],
        received_at=instant(found["received_at"]),
        plan=plan,
        planned_at=moment(found["planned_at"]),
        crashes=found["crashes"] if crashes is None else crashes,
        tries=found["tries"],
        next_try_at=moment(found["next_try_at"]),
        error=found["error"],
        finished_at=moment(found["finished_at"]),
    )


def effect_row(found: Found) -> EffectRow:
    """An effect's row of the columns of EFFECT. SQLite has numbers for booleans."""
    return EffectRow(
        id=found["id"],
        message=found["message"],
        record=EffectRecord(
            key=found["key"],
            ordinal=found["ordinal"],
            word=found["word"],
            target=found["target"],
            place=bool(found["place"]),
            repeatable=bool(found["repeatable"]),
            edits=found["edits"],
            detail=found["detail"],
        ),
        state=EffectState(found["state"]),
        uncertain=bool(found["uncertain"]),
        crashes=found["crashes"],
        tries=found["tries"],
        first_try_at=moment(found["first_try_at"]),
        next_try_at=moment(found["next_try_at"]),
        due=bool(found["due"]),
        receipt=found["receipt"],
        error=found["error"],
    )

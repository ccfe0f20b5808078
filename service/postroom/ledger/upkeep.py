"""What operators and the sweeper do to rows: replay, drop, abandon, and the end of their keeping."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, or_, select, update

from postroom.ledger.columns import clean, clean_error, indexed, message_key, span
from postroom.ledger.database import Database, Now
from postroom.ledger.memory import release_reservations
from postroom.ledger.rows import OPEN, EffectState, Retained, Retention, State
from postroom.ledger.tables import blob, effect, identity, memory, message

# A new epoch fences whoever works on the row right now.
_TAKEN_AWAY = {"owner": None, "lease_until": 0, "epoch": message.c.epoch + 1}
_ANEW = {
    "state": EffectState.PENDING,
    "tries": 0,
    "crashes": 0,
    "next_try_at": 0,
    "first_try_at": None,
    "error": None,
    "uncertain": False,  # a person has looked
}


def replay(database: Database, number: int, *, from_effect: int | None = None, again: bool = False) -> bool:
    """Let a message that ended be worked on once more; False where there is no such row with bytes.

    The stored plan is resumed: what is done stays done. `from_effect`: that one and all after it are tried,
    even those done; dead ones before it stay dead. `again`: the rules decide anew, and effects with equal
    keys count as done.
    """
    with database.writing() as connection:
        row = select(message.c.id, message.c.plan).where(message.c.id == number, message.c.blob.is_not(None))
        found = connection.execute(row.where(message.c.state != State.WANTED).with_for_update()).first()
        if found is None:
            return False
        if again:
            _forget_plan(connection, number)
        else:
            wanted = effect.c.state == EffectState.DEAD if from_effect is None else effect.c.ordinal >= from_effect
            trying = update(effect).where(effect.c.message == number, effect.c.ordinal >= 0, wanted)
            connection.execute(trying.values(_ANEW))
        planned = found.plan is not None and not again
        values: dict[str, Any] = {
            "state": State.PLANNED if planned else State.RECEIVED,
            "plan": found.plan if planned else None,
            "planned_at": Now() if planned else None,
        }
        values |= {
            "tries": 0,
            "crashes": 0,
            "next_try_at": 0,
            "error": None,
            "finished_at": None,
            "outcome": None,
        }
        connection.execute(update(message).where(message.c.id == number).values(values | _TAKEN_AWAY))
        return True


def drop(database: Database, number: int, reason: str) -> bool:
    """Set a message aside for good, with the reason; whoever works on it is fenced.

    False where it has ended well.
    """
    dropping = (
        update(message)
        .where(message.c.id == number, message.c.state.not_in([State.SETTLED, State.DROPPED]))
        .values(state=State.DROPPED, error=clean_error(reason), finished_at=Now(), **_TAKEN_AWAY)
        .returning(message.c.mailbox, message.c.source_key)
    )
    with database.writing() as connection:
        found = connection.execute(dropping).first()
        if found is not None:
            release_reservations(connection, [message_key(found.mailbox, found.source_key)])
        return found is not None


def abandon(database: Database, mailboxes: Collection[str], older_than: timedelta) -> int:
    """Rows that their caller (stdin) has not offered again for so long become abandoned; answers how many."""
    abandoning = (
        update(message)
        .where(message.c.mailbox.in_([clean(mailbox) for mailbox in mailboxes]), message.c.state.in_(OPEN))
        .where(message.c.rung_at + span(older_than) <= Now())
        .where(or_(message.c.owner.is_(None), message.c.lease_until <= Now()))
        .values(state=State.ABANDONED, finished_at=Now(), **_TAKEN_AWAY)
        .returning(message.c.mailbox, message.c.source_key)
    )
    with database.writing() as connection:
        found = connection.execute(abandoning).all()
        release_reservations(connection, [message_key(each.mailbox, each.source_key) for each in found])
        return len(found)


def retain(database: Database, policy: Retention, limit: int) -> Retained:
    """Remove up to `limit` rows that ended long enough ago, with effects and blobs, and every expired
    memory."""
    with database.writing() as connection:
        connection.execute(delete(memory).where(memory.c.until <= Now()))
        if policy.fading:
            old = identity.c.seen_at + span(policy.hashes) <= Now()
            fading = identity.c.mailbox.in_([clean(mailbox) for mailbox in policy.fading])
            connection.execute(delete(identity).where(fading, old))
        found = _over(connection, policy, limit)
        ids = [each.id for each in found]
        _keep_identities(connection, database, ids, policy)
        connection.execute(delete(effect).where(effect.c.message.in_(ids)))
        connection.execute(delete(message).where(message.c.id.in_(ids)))
        blobs = _remove_blobs(connection, sorted({each.blob for each in found if each.blob}))
    return Retained(rows=len(ids), blobs=blobs)


def forget(database: Database, mailbox: str, keys: Collection[str]) -> int:
    """Forget identities that the source no longer lists; answers how many there were."""
    forgetting = delete(identity).where(
        identity.c.mailbox == clean(mailbox), identity.c.source_key.in_([indexed(key) for key in keys])
    )
    with database.writing() as connection:
        return connection.execute(forgetting).rowcount


def _forget_plan(connection: Connection, number: int) -> None:
    connection.execute(delete(effect).where(effect.c.message == number, effect.c.state != EffectState.DONE))
    # What is done makes way for the ordinals of the new plan, which finds it by its key.
    connection.execute(
        update(effect).where(effect.c.message == number, effect.c.ordinal >= 0).values(ordinal=-effect.c.id)
    )


def _over(connection: Connection, policy: Retention, limit: int) -> list[Any]:
    """Ids and blobs of rows whose time is over. State by state, as only so the index serves."""
    periods = {State.SETTLED: policy.settled, State.ABANDONED: policy.settled, State.DROPPED: policy.settled}
    found: list[Any] = []
    for state, period in (periods | {State.DEAD: policy.dead}).items():
        if period is not None:
            asking = select(message.c.id, message.c.blob).where(message.c.state == state)
            asking = asking.where(message.c.finished_at <= Now() - span(period)).order_by(message.c.finished_at)
            found += connection.execute(asking.limit(limit - len(found)).with_for_update(skip_locked=True))
    return found


def _keep_identities(connection: Connection, database: Database, ids: Sequence[int], policy: Retention) -> None:
    if not policy.identities:
        return
    kept = select(message.c.mailbox, message.c.source_key, message.c.sha256, Now()).where(
        message.c.id.in_(ids), message.c.mailbox.in_([clean(mailbox) for mailbox in policy.identities])
    )
    columns = ["mailbox", "source_key", "sha256", "seen_at"]
    connection.execute(database.insert(identity).from_select(columns, kept).on_conflict_do_nothing())


def _remove_blobs(connection: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """Remove those that no other row shares; answers the ones whose bytes lie in the spool."""
    # By the hash as well, because that column has an index.
    shared = exists().where(message.c.sha256 == blob.c.sha256, message.c.blob == blob.c.name)
    # Asked before the DELETE: in its RETURNING, SQLite 3.40 takes `bytes IS NULL` for false.
    orphans = select(blob.c.name, blob.c.bytes.is_(None).label("spooled")).where(blob.c.name.in_(names), ~shared)
    found = connection.execute(orphans).all()
    connection.execute(delete(blob).where(blob.c.name.in_([each.name for each in found])))
    return tuple(each.name for each in found if each.spooled)

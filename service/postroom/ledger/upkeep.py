"""What operators and the sweeper do to rows: replay, drop, abandon, and the end of their keeping."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from postroom.ledger.claims import HELD, OPEN
from postroom.ledger.columns import clean, clean_error, indexed, message_key, span
from postroom.ledger.database import Connection, Database, Found
from postroom.ledger.memory import release_reservations
from postroom.ledger.rows import Retained, Retention, State
from postroom.ledger.statements import sql

# A new epoch fences whoever works on the row right now.
_TAKEN_AWAY = "owner = NULL, lease_until = 0, epoch = epoch + 1"
_REPLAYED = sql("""
    SELECT plan FROM message WHERE id = :id AND blob IS NOT NULL AND state <> 'wanted' FOR UPDATE
""")
_AGAIN = f"tries = 0, crashes = 0, next_try_at = 0, error = NULL, finished_at = NULL, outcome = NULL, {_TAKEN_AWAY}"
_RESUMED = sql(f"UPDATE message SET state = 'planned', planned_at = NOW, {_AGAIN} WHERE id = :id")
_RESTARTED = sql(f"UPDATE message SET state = 'received', plan = NULL, planned_at = NULL, {_AGAIN} WHERE id = :id")
# No longer uncertain: a person has looked.
_ANEW = """
    UPDATE effect SET state = 'pending', tries = 0, crashes = 0, next_try_at = 0, first_try_at = NULL, error = NULL,
        uncertain = FALSE
    WHERE message = :id AND ordinal >= 0
"""
_DEAD_ANEW = sql(f"{_ANEW} AND state = 'dead'")
_ALL_ANEW = sql(f"{_ANEW} AND ordinal >= :first")
# What told of a failure, or was to: where the message fails again it is made anew, with the reason of then.
_UNTELL = sql("DELETE FROM effect WHERE message = :id AND word = 'bounce' AND (state <> 'done' OR ordinal >= :first)")
_BEHIND_ALL = (1 << 63) - 1
_UNPLAN = sql("DELETE FROM effect WHERE message = :id AND state <> 'done'")
# What is done makes way for the ordinals of the new plan, which finds it by its key.
_OUT_OF_THE_WAY = sql("UPDATE effect SET ordinal = -id WHERE message = :id AND ordinal >= 0")
_DROP = sql(f"""
    UPDATE message SET state = 'dropped', error = :reason, finished_at = NOW, {_TAKEN_AWAY}
    WHERE id = :id AND state NOT IN ('settled', 'dropped')
    RETURNING mailbox, source_key
""")
_ABANDON = sql(f"""
    UPDATE message SET state = 'abandoned', finished_at = NOW, {_TAKEN_AWAY}
    WHERE mailbox IN :mailboxes AND {OPEN} AND rung_at + :older_than <= NOW AND NOT {HELD}
    RETURNING mailbox, source_key
""")
_EXPIRE = sql("DELETE FROM memory WHERE until <= NOW")
_FADE = sql("DELETE FROM identity WHERE mailbox IN :mailboxes AND seen_at + :period <= NOW")
_OVER = sql("""
    SELECT id, blob FROM message WHERE state = :state AND finished_at <= NOW - :period
    ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_KEEP_IDENTITIES = sql("""
    INSERT INTO identity (mailbox, source_key, sha256, seen_at)
    SELECT mailbox, source_key, sha256, NOW FROM message WHERE id IN :ids AND mailbox IN :mailboxes
    ON CONFLICT DO NOTHING
""")
_REMOVE_EFFECTS = sql("DELETE FROM effect WHERE message IN :ids")
_REMOVE = sql("DELETE FROM message WHERE id IN :ids")
# Which no other row shares: asked by the hash as well, because that column has an index. And asked before the DELETE,
# in whose RETURNING SQLite 3.40 takes `bytes IS NULL` for false.
_ORPHANS = sql("""
    SELECT name, (bytes IS NULL) AS spooled FROM blob
    WHERE name IN :names
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.sha256 = blob.sha256 AND message.blob = blob.name)
""")
_REMOVE_BLOBS = sql("DELETE FROM blob WHERE name IN :names")
_FORGET = sql("DELETE FROM identity WHERE mailbox = :mailbox AND source_key IN :keys")


def replay(database: Database, number: int, *, from_effect: int | None = None, again: bool = False) -> bool:
    """Let a message that ended be worked on once more; False where there is no such row with bytes.

    The stored plan is resumed: what is done stays done. `from_effect`: that one and all after it are tried,
    even those done; dead ones before it stay dead. `again`: the rules decide anew, and effects with equal
    keys count as done.
    """
    with database.writing() as connection:
        found = connection.row(_REPLAYED, id=number)
        if found is None:
            return False
        connection.run(_UNTELL, id=number, first=0 if again else _BEHIND_ALL if from_effect is None else from_effect)
        if again:
            connection.run(_UNPLAN, id=number)
            connection.run(_OUT_OF_THE_WAY, id=number)
        elif from_effect is None:
            connection.run(_DEAD_ANEW, id=number)
        else:
            connection.run(_ALL_ANEW, id=number, first=from_effect)
        connection.run(_RESTARTED if again or found["plan"] is None else _RESUMED, id=number)
        return True


def drop(database: Database, number: int, reason: str) -> bool:
    """Set a message aside for good, with the reason; whoever works on it is fenced.

    False where it has ended well.
    """
    with database.writing() as connection:
        found = connection.rows(_DROP, id=number, reason=clean_error(reason))
        _release(connection, found)
        return bool(found)


def abandon(database: Database, mailboxes: Collection[str], older_than: timedelta) -> int:
    """Rows that their caller (stdin) has not offered again for so long become abandoned; answers how many."""
    names = [clean(mailbox) for mailbox in mailboxes]
    with database.writing() as connection:
        found = connection.rows(_ABANDON, mailboxes=names, older_than=span(older_than))
        _release(connection, found)
        return len(found)


def retain(database: Database, policy: Retention, limit: int) -> Retained:
    """Remove up to `limit` rows that ended long enough ago, with effects and blobs, and every expired
    memory."""
    with database.writing() as connection:
        connection.run(_EXPIRE)
        if policy.fading:
            connection.run(_FADE, mailboxes=list(map(clean, policy.fading)), period=span(policy.hashes))
        found = _over(connection, policy, limit)
        ids = [each["id"] for each in found]
        if policy.identities:
            connection.run(_KEEP_IDENTITIES, ids=ids, mailboxes=list(map(clean, policy.identities)))
        connection.run(_REMOVE_EFFECTS, ids=ids)
        connection.run(_REMOVE, ids=ids)
        blobs = _remove_blobs(connection, sorted({each["blob"] for each in found if each["blob"]}))
    return Retained(rows=len(ids), blobs=blobs)


def forget(database: Database, mailbox: str, keys: Collection[str]) -> int:
    """Forget identities that the source no longer lists; answers how many there were."""
    with database.writing() as connection:
        return connection.run(_FORGET, mailbox=clean(mailbox), keys=list(map(indexed, keys)))


def _release(connection: Connection, found: Sequence[Found]) -> None:
    release_reservations(connection, [message_key(each["mailbox"], each["source_key"]) for each in found])


def _over(connection: Connection, policy: Retention, limit: int) -> list[Found]:
    """Ids and blobs of rows whose time is over. State by state, as only so the index serves."""
    periods = {State.SETTLED: policy.settled, State.ABANDONED: policy.settled, State.DROPPED: policy.settled}
    found: list[Found] = []
    for state, period in (periods | {State.DEAD: policy.dead}).items():
        if period is not None:
            found += connection.rows(_OVER, state=state.value, period=span(period), limit=limit - len(found))
    return found


def _remove_blobs(connection: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """Remove those that no other row shares; answers the ones whose bytes lie in the spool."""
    found = connection.rows(_ORPHANS, names=names)
    connection.run(_REMOVE_BLOBS, names=[each["name"] for each in found])
    return tuple(each["name"] for each in found if each["spooled"])

"""What a watcher asks and tells about its mailbox: messages wanted and unsettled, keys and hashes that are known."""

from collections.abc import Collection, Sequence
from datetime import datetime

from postroom.ledger.columns import clean, clean_error, indexed, message_key, micros
from postroom.ledger.database import Connection, Database
from postroom.ledger.intake import insert_arrivals
from postroom.ledger.memory import release_reservations
from postroom.ledger.reading import LISTED, row
from postroom.ledger.rows import Load, Row, Settled, Unsettled, Waiting
from postroom.ledger.statements import sql

_UNSETTLED = f"SELECT {LISTED}, plan FROM message WHERE mailbox = :mailbox AND state = 'done' AND next_try_at <= NOW"
_UNSETTLED_ALL = sql(f"{_UNSETTLED} ORDER BY id LIMIT :limit")
_UNSETTLED_IN = sql(f"{_UNSETTLED} AND folder = :folder ORDER BY id LIMIT :limit")
_MAILBOXES = sql("SELECT DISTINCT mailbox FROM message WHERE state = 'done' AND next_try_at <= NOW")
_SETTLED = sql("""
    UPDATE message SET state = 'settled', outcome = :how, error = NULL, finished_at = NOW
    WHERE id = :id AND state = 'done'
""")
_POSTPONED = sql("""
    UPDATE message SET tries = tries + 1, next_try_at = :at, error = :why
    WHERE id = :id AND state IN ('done', 'wanted')
""")
_DIED = sql("""
    UPDATE message SET state = 'dead', error = :why, finished_at = NOW WHERE id = :id AND state IN ('done', 'wanted')
""")
_LATER = sql("UPDATE message SET next_try_at = :at WHERE id = :id AND state = 'done'")
_WANTED = sql(f"""
    SELECT {LISTED} FROM message
    WHERE mailbox = :mailbox AND state = 'wanted' AND next_try_at <= NOW AND folder = :folder
    ORDER BY id LIMIT :limit
""")
_UNFINISHED = sql(f"""
    SELECT {LISTED} FROM message
    WHERE mailbox = :mailbox AND folder = :folder AND state IN ('wanted', 'received', 'planned', 'done')
    ORDER BY id
""")
_REKEY = sql("""
    UPDATE message SET source_key = :new WHERE mailbox = :mailbox AND source_key = :old
    AND NOT EXISTS (SELECT 1 FROM message WHERE mailbox = :mailbox AND source_key = :new)
""")
_VANISH = sql("""
    UPDATE message SET state = 'settled', outcome = 'vanished', finished_at = NOW
    WHERE mailbox = :mailbox AND source_key IN :keys AND +state IN ('wanted', 'done')
    RETURNING source_key
""")
_LOAD = sql("""
    SELECT count(*) AS messages, coalesce(sum(size), 0) AS octets FROM message
    WHERE mailbox = :mailbox AND state IN ('wanted', 'received', 'planned') AND next_try_at <= NOW
""")
_KEYS = sql("""
    SELECT source_key FROM message WHERE mailbox = :mailbox AND source_key IN :keys
    UNION SELECT source_key FROM identity WHERE mailbox = :mailbox AND source_key IN :keys
""")
_HASHES = sql("""
    SELECT sha256 FROM message WHERE +mailbox = :mailbox AND sha256 IN :hashes
    UNION SELECT sha256 FROM identity WHERE +mailbox = :mailbox AND sha256 IN :hashes
""")
_IDENTITIES = sql("SELECT source_key FROM identity WHERE mailbox = :mailbox")
_FORGET = sql("DELETE FROM identity WHERE mailbox = :mailbox AND source_key IN :keys")


def unsettled(database: Database, mailbox: str, folder: str | None, limit: int) -> tuple[Row, ...]:
    """Rows that are done, with their plans, whose next try has come; oldest first."""
    with database.reading() as connection:
        if folder is None:
            found = connection.rows(_UNSETTLED_ALL, mailbox=clean(mailbox), limit=limit)
        else:
            found = connection.rows(_UNSETTLED_IN, mailbox=clean(mailbox), folder=clean(folder), limit=limit)
        return tuple(row(each, plan=each["plan"]) for each in found)


def unsettled_mailboxes(database: Database) -> frozenset[str]:
    """Mailboxes with something to settle now."""
    with database.reading() as connection:
        return frozenset(connection.column("mailbox", _MAILBOXES))


def settle(
    database: Database,
    mailbox: str,
    settled: Sequence[Settled],
    unsettled: Sequence[tuple[Unsettled, datetime | None]],
    waiting: Sequence[Waiting] = (),
) -> None:
    """done → settled as the source confirmed, with copies of our own that are no new mail; others wait until the
    time beside them, or are dead where there is none; and some are not to be settled yet."""
    with database.writing() as connection:
        connection.run_all(_SETTLED, [{"id": each.message, "how": each.outcome} for each in settled])
        for each, at in unsettled:
            _give_up(connection, each.message, str(each.error), at)
        connection.run_all(_LATER, [{"id": each.message, "at": micros(each.until)} for each in waiting])
        insert_arrivals(connection, clean(mailbox), [arrival for each in settled for arrival in each.own])


def wanted(database: Database, mailbox: str, folder: str, limit: int) -> tuple[Row, ...]:
    """Rows without bytes whose next try has come, oldest first."""
    with database.reading() as connection:
        found = connection.rows(_WANTED, mailbox=clean(mailbox), folder=clean(folder), limit=limit)
        return tuple(map(row, found))


def missed(database: Database, number: int, error: str, at: datetime | None) -> None:
    """A wanted message could not be had; it waits until then, or is dead where no time is given."""
    with database.writing() as connection:
        _give_up(connection, number, error, at)


def unfinished(database: Database, mailbox: str, folder: str) -> tuple[Row, ...]:
    """Rows of a folder that are not final."""
    with database.reading() as connection:
        return tuple(map(row, connection.rows(_UNFINISHED, mailbox=clean(mailbox), folder=clean(folder))))


def rekey(database: Database, mailbox: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Rows go on under another source key. One whose new key is taken stays as it is.

    Reservations and effects belong to the old name and stay with the stored plan.
    """
    with database.writing() as connection:
        for old, new in pairs:  # one after the other: a key may make way for the next
            connection.run(_REKEY, mailbox=clean(mailbox), old=indexed(old), new=indexed(new))


def vanish(database: Database, mailbox: str, keys: Collection[str]) -> int:
    """Wanted and done messages that the source has no more are settled as `vanished`; answers how many."""
    with database.writing() as connection:
        found = connection.column("source_key", _VANISH, mailbox=clean(mailbox), keys=[indexed(key) for key in keys])
        release_reservations(connection, [message_key(mailbox, key) for key in found])
        return len(found)


def load(database: Database, mailbox: str) -> Load:
    """What is being worked on: all but what waits for a later try."""
    with database.reading() as connection:
        [found] = connection.rows(_LOAD, mailbox=clean(mailbox))
        return Load(messages=found["messages"], octets=int(found["octets"]))


def known_keys(database: Database, mailbox: str, keys: Collection[str]) -> frozenset[str]:
    """Which of these source keys have a row, or had one and are still remembered."""
    names = {indexed(key): key for key in keys}
    with database.reading() as connection:
        found = connection.column("source_key", _KEYS, mailbox=clean(mailbox), keys=names)
    return frozenset(names[key] for key in found)


def known_hashes(database: Database, mailbox: str, hashes: Collection[str]) -> frozenset[str]:
    """Which of these SHA-256 digests messages of the mailbox have or had."""
    with database.reading() as connection:
        return frozenset(connection.column("sha256", _HASHES, mailbox=clean(mailbox), hashes=hashes))


def forget_unlisted(database: Database, mailbox: str, listed: Collection[str]) -> int:
    """Forget the identities that the source lists no more; answers how many."""
    keep = {indexed(key) for key in listed}
    with database.writing() as connection:
        known = connection.column("source_key", _IDENTITIES, mailbox=clean(mailbox))
        return connection.run(_FORGET, mailbox=clean(mailbox), keys=[key for key in known if key not in keep])


def _give_up(connection: Connection, number: int, error: str, at: datetime | None) -> None:
    """Until then, or for good where no time is given."""
    if at is None:
        connection.run(_DIED, id=number, why=clean_error(error))
    else:
        connection.run(_POSTPONED, id=number, why=clean_error(error), at=micros(at))

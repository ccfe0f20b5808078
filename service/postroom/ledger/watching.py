"""What watchers say of their mailboxes, for `postroom status` wherever it runs."""

from collections.abc import Sequence
from datetime import timedelta

from postroom.ledger.columns import clean, clean_error, indexed, micros, moment
from postroom.ledger.database import Database, Found
from postroom.ledger.memory import remember
from postroom.ledger.rows import Decision, Watched
from postroom.ledger.statements import sql

_SPACE = "decision"
_KEPT = timedelta(days=30)
_COLUMNS = ("mailbox", "owner", "connected", "changed_at", "looked_at", "refused", "paused", "reconnects")
_TELL = sql(f"""
    INSERT INTO watch ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
    ON CONFLICT (mailbox) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}
""")
_TOLD = sql(f"SELECT {', '.join(_COLUMNS)} FROM watch ORDER BY mailbox")
_DECIDED = sql("DELETE FROM memory WHERE space = :space AND key IN :keys RETURNING key")


def tell(database: Database, told: Sequence[Watched]) -> None:
    """Store what is known of mailboxes now."""
    values = [
        {
            "mailbox": clean(each.mailbox),
            "owner": each.owner,
            "connected": each.connected,
            "changed_at": micros(each.changed_at),
            "looked_at": micros(each.looked_at) if each.looked_at else None,
            "refused": clean_error(each.refused) if each.refused else None,
            "paused": clean_error(each.paused) if each.paused else None,
            "reconnects": each.reconnects,
        }
        for each in told
    ]
    if values:
        with database.writing() as connection:
            connection.run_all(_TELL, values)


def watched(database: Database) -> tuple[Watched, ...]:
    """What was said last of each mailbox."""
    with database.reading() as connection:
        return tuple(map(_watched, connection.rows(_TOLD)))


def decide(database: Database, mailbox: str, decision: Decision) -> None:
    """What a person decided about a mailbox that paused; its watcher asks for it."""
    remember(database, _SPACE, f"{mailbox}/{decision}", "operator", _KEPT)


def decision(database: Database, mailbox: str) -> Decision | None:
    """What was decided since this was asked last."""
    keys: dict[str, Decision] = {indexed(f"{mailbox}/take"): "take", indexed(f"{mailbox}/skip"): "skip"}
    with database.writing() as connection:
        found = connection.column("key", _DECIDED, space=_SPACE, keys=keys)
    return keys[found[-1]] if found else None


def _watched(found: Found) -> Watched:
    values = dict(found)
    changed = moment(values.pop("changed_at"))
    assert changed is not None
    values |= {"connected": bool(values["connected"]), "looked_at": moment(values["looked_at"])}
    return Watched(changed_at=changed, **values)

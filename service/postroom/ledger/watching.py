"""What watchers say of their mailboxes, for `postroom status` wherever it runs."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from postroom.ledger.columns import clean, clean_error, indexed, micros, moment
from postroom.ledger.database import Database, excluded
from postroom.ledger.memory import remember
from postroom.ledger.rows import Decision, Watched
from postroom.ledger.tables import memory, watch

_SPACE = "decision"
_KEPT = timedelta(days=30)


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
    if not values:
        return
    names = [name for name in values[0] if name != "mailbox"]
    insert = database.insert(watch).on_conflict_do_update(
        index_elements=["mailbox"], set_={name: excluded(name) for name in names}
    )
    with database.writing() as connection:
        connection.execute(insert, values)


def watched(database: Database) -> tuple[Watched, ...]:
    """What was said last of each mailbox."""
    with database.reading() as connection:
        found = connection.execute(select(watch).order_by(watch.c.mailbox)).all()
    return tuple(_watched(each) for each in found)


def decide(database: Database, mailbox: str, decision: Decision) -> None:
    """What a person decided about a mailbox that paused; its watcher asks for it."""
    remember(database, _SPACE, f"{mailbox}/{decision}", "operator", _KEPT)


def decision(database: Database, mailbox: str) -> Decision | None:
    """What was decided since this was asked last."""
    keys: dict[str, Decision] = {indexed(f"{mailbox}/take"): "take", indexed(f"{mailbox}/skip"): "skip"}
    taking = delete(memory).where(memory.c.space == _SPACE, memory.c.key.in_(list(keys))).returning(memory.c.key)
    with database.writing() as connection:
        found = list(connection.scalars(taking))
    return keys[found[-1]] if found else None


def _watched(found: object) -> Watched:
    values = dict(found._mapping)  # type: ignore[attr-defined]  # a Row
    changed = moment(values.pop("changed_at"))
    assert changed is not None
    return Watched(changed_at=changed, looked_at=moment(values.pop("looked_at")), **values)

"""Which messages wait for a worker and are not being worked on: what the sweeper rings for."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, and_, or_, select, update

from postroom.ledger.columns import clean, span
from postroom.ledger.database import Database, Now
from postroom.ledger.owner import is_gone
from postroom.ledger.rows import OPEN
from postroom.ledger.tables import message

_DUE = message.c.next_try_at <= Now()
_HELD = and_(message.c.owner.is_not(None), message.c.lease_until > Now())
_HOLDERS = select(message.c.owner).where(message.c.state.in_(OPEN), _HELD).distinct()


def ring(database: Database, limit: int, leaving: Collection[str], patience: timedelta) -> Mapping[int, bool]:
    """Messages to ring for, and whether each should go alone, because a claim on it has crashed before.

    Those whose time came after they were last rung for, that nobody has taken within `patience`, or whose worker is
    gone. They count as rung for now.
    """
    with database.reading() as connection:
        orphaned = message.c.owner.in_(_gone(connection))
        unanswered = or_(message.c.rung_at < message.c.next_try_at, message.c.rung_at <= Now() - span(patience))
        waiting = (
            select(message.c.id)
            .where(message.c.state.in_(OPEN), _DUE, message.c.mailbox.not_in([clean(one) for one in leaving]))
            .where(or_(and_(~_HELD, unanswered), orphaned))
            .order_by(message.c.next_try_at, message.c.id)
            .limit(limit)
        )
        ids = list(connection.scalars(waiting))
    if not ids:
        return {}
    ringing = (
        update(message).where(message.c.id.in_(ids)).values(rung_at=Now()).returning(message.c.id, message.c.crashes)
    )
    with database.writing() as connection:
        return {found.id: found.crashes > 0 for found in connection.execute(ringing)}


def unring(database: Database, ids: Sequence[int]) -> None:
    """Nobody has rung for these: the next sweep is to."""
    with database.writing() as connection:
        connection.execute(update(message).where(message.c.id.in_(ids)).values(rung_at=0))


def _gone(connection: Connection) -> list[str]:
    """Owners of claims whose process certainly runs no more: nobody needs to wait for their leases."""
    return [owner for owner in connection.scalars(_HOLDERS) if is_gone(owner)]

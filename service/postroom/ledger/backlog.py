"""What has come in and not ended yet, mailbox by mailbox, for status and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, func, select

from postroom.ledger.database import Database, Now
from postroom.ledger.rows import OPEN, State
from postroom.ledger.tables import message

_UNSETTLED = (State.WANTED, *OPEN, State.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """`in_flight`: worked on now, without what waits for a later try. `unsettled`: not ended, and how long the oldest
    has been there."""

    in_flight: int
    unsettled: int
    oldest: timedelta


def find_backlogs(database: Database) -> Mapping[str, Backlog]:
    """Of every mailbox that has one."""
    worked_on = message.c.state.in_([State.WANTED, *OPEN]) & (message.c.next_try_at <= Now())
    asking = (
        select(
            message.c.mailbox,
            func.sum(case((worked_on, 1), else_=0)).label("in_flight"),
            func.count().label("unsettled"),
            (Now() - func.min(message.c.received_at)).label("oldest"),
        )
        .where(message.c.state.in_(_UNSETTLED))
        .group_by(message.c.mailbox)
    )
    with database.reading() as connection:
        return {
            found.mailbox: Backlog(
                in_flight=int(found.in_flight),
                unsettled=found.unsettled,
                oldest=max(timedelta(), timedelta(microseconds=int(found.oldest))),
            )
            for found in connection.execute(asking)
        }

"""What has come in and not ended yet, mailbox by mailbox, for status and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from postroom.ledger.database import Database
from postroom.ledger.statements import sql

_BACKLOGS = sql("""
    SELECT mailbox, count(*) AS unsettled, NOW - min(received_at) AS oldest,
        sum(CASE WHEN state <> 'done' AND next_try_at <= NOW THEN 1 ELSE 0 END) AS in_flight
    FROM message WHERE state IN ('wanted', 'received', 'planned', 'done')
    GROUP BY mailbox
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """`in_flight`: worked on now, without what waits for a later try. `unsettled`: not ended, and how long the oldest
    has been there."""

    in_flight: int
    unsettled: int
    oldest: timedelta


def find_backlogs(database: Database) -> Mapping[str, Backlog]:
    """Of every mailbox that has one."""
    with database.reading() as connection:
        return {
            found["mailbox"]: Backlog(
                in_flight=int(found["in_flight"]),
                unsettled=found["unsettled"],
                oldest=max(timedelta(), timedelta(microseconds=int(found["oldest"]))),
            )
            for found in connection.rows(_BACKLOGS)
        }

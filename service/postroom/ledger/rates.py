"""Rates that hold over all processes: the time until which a rate's tokens are spent, by the database's clock."""

from datetime import timedelta

from postroom.ledger.columns import clean, span
from postroom.ledger.database import Database
from postroom.ledger.statements import sql

# No batch of ours costs more: what is spent beyond that was spent before the clock was set back.
LONGEST = timedelta(minutes=1)
BURST = timedelta(seconds=6)  # of a rate that was not used for a while: a tenth of a minute's tokens at once

_TAKE = sql("""
    INSERT INTO memory (space, key, holder, count, until) VALUES ('rate', :key, '', 1, NOW + :cost)
    ON CONFLICT (space, key) DO UPDATE
    SET until = CASE WHEN memory.until > NOW AND memory.until <= NOW + :longest THEN memory.until ELSE NOW END + :cost
    WHERE memory.until + :cost <= NOW + :room OR memory.until > NOW + :longest
    RETURNING until
""")
_WAIT = sql("SELECT until + :cost - :room - NOW AS wait FROM memory WHERE space = 'rate' AND key = :key")


def spend(database: Database, name: str, tokens: int, per_minute: int) -> timedelta:
    """Take so many tokens; zero where they were there, else how long to wait for them.

    Over any minute at most a tenth more than `per_minute` are given (a leaky bucket, RFC 2697 in spirit).
    """
    cost = span(timedelta(minutes=1) * tokens / per_minute)
    # One batch goes at any time, however slow the rate.
    room = max(span(BURST), cost)
    values = {"key": clean(name), "cost": cost, "room": room}
    with database.writing() as connection:
        if connection.row(_TAKE, **values, longest=max(span(LONGEST), cost)) is not None:
            return timedelta(0)
        found = connection.row(_WAIT, **values)
        wait = 0 if found is None else int(found["wait"])
        return max(timedelta(microseconds=wait), timedelta(milliseconds=10))

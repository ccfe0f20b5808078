"""Rates that hold over all processes: the time until which a rate's tokens are spent, by the database's clock."""

from datetime import timedelta

from sqlalchemy import BigInteger, case, cast, select

from postroom.ledger.columns import clean, span
from postroom.ledger.database import Database, Now
from postroom.ledger.tables import memory

SPACE = "rate"
BURST = timedelta(seconds=6)  # of a rate that was not used for a while: a tenth of a minute's tokens at once


def spend(database: Database, name: str, tokens: int, per_minute: int) -> timedelta:
    """Take so many tokens; zero where they were there, else how long to wait for them.

    Over any minute at most a tenth more than `per_minute` are given (a leaky bucket, RFC 2697 in spirit).
    """
    cost = span(timedelta(minutes=1) * tokens / per_minute)
    # One batch goes at any time, however slow the rate.
    room = max(span(BURST), cost)
    spent = memory.c.until
    now = cast(Now(), BigInteger)
    values = {"space": SPACE, "key": clean(name), "holder": "", "count": 1, "until": now + cost}
    taking = (
        database.insert(memory)
        .values(values)
        .on_conflict_do_update(
            index_elements=["space", "key"],
            set_={"until": case((spent > now, spent), else_=now) + cost},
            where=spent + cost <= now + room,
        )
        .returning(memory.c.until)
    )
    with database.writing() as connection:
        if connection.execute(taking).first() is not None:
            return timedelta(0)
        found = select(spent + cost - room - now).where(memory.c.space == SPACE, memory.c.key == clean(name))
        return max(timedelta(microseconds=int(connection.scalar(found) or 0)), timedelta(milliseconds=10))

"""What happens to a message under a claim, each transition one fenced transaction."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, assert_never

from sqlalchemy import Connection, bindparam, func, select, update

from postroom.errors import Fenced
from postroom.ledger.claims import RELEASED, fence
from postroom.ledger.columns import clean, clean_error, micros
from postroom.ledger.database import Database, Now, excluded
from postroom.ledger.memory import release_reservations, remember_all
from postroom.ledger.rows import (
    Claim,
    Done,
    EffectRecord,
    EffectState,
    Failed,
    Foreseen,
    Later,
    PlanRecord,
    Report,
    State,
)
from postroom.ledger.tables import effect, message

# The names of these parameters may not be those of columns.
_OF = effect.c.key == bindparam("of_key")
_WITHIN = effect.c.message == bindparam("within")
_ID = message.c.id == bindparam("of_id")
_FIRST_TRY = func.coalesce(effect.c.first_try_at, Now())

_STARTED = (
    update(effect)
    .where(_OF, _WITHIN, effect.c.state == EffectState.PENDING)
    .values(state=EffectState.RUNNING, first_try_at=_FIRST_TRY)
)
_DONE = (
    update(effect)
    .where(_OF, _WITHIN)
    .values(
        state=EffectState.DONE,
        receipt=bindparam("what"),
        uncertain=False,
        error=None,
        first_try_at=_FIRST_TRY,
    )
)
_LATER = (
    update(effect)
    .where(_OF, _WITHIN)
    .values(
        state=EffectState.PENDING,
        tries=effect.c.tries + 1,
        next_try_at=bindparam("at"),
        error=bindparam("why"),
        uncertain=bindparam("unsure"),
        first_try_at=_FIRST_TRY,
    )
)
_FAILED = (
    update(effect)
    .where(_OF, _WITHIN)
    .values(state=EffectState.DEAD, error=bindparam("why"), uncertain=bindparam("unsure"), first_try_at=_FIRST_TRY)
)
_PLANNED = (
    update(message)
    .where(_ID, message.c.state == State.RECEIVED)
    .values(state=State.PLANNED, plan=bindparam("what"), planned_at=Now(), next_try_at=0, error=None)
)
_STANDING = (
    select(
        effect.c.message,
        effect.c.state,
        func.min(effect.c.next_try_at).label("next_try_at"),
        func.max(effect.c.error).label("error"),
    )
    .where(effect.c.message.in_(bindparam("ids", expanding=True)), effect.c.ordinal >= 0)
    .group_by(effect.c.message, effect.c.state)
)
_WAITS = update(message).where(_ID).values(next_try_at=bindparam("at"))
_ENDS = (
    update(message)
    .where(_ID)
    .values(
        state=bindparam("into"),
        outcome=bindparam("how"),
        error=bindparam("why"),
        finished_at=Now(),
        **RELEASED,
    )
)


def planned(database: Database, plans: Sequence[PlanRecord]) -> None:
    """received → planned: plans and effects of a group of messages in one commit.

    An effect that was done under an earlier plan and has the key of a new one counts as done.
    """
    with database.writing() as connection:
        fence(connection, (plan.claim for plan in plans))
        _store_plans(connection, database, [(plan.claim.id, plan.plan, plan.effects) for plan in plans])


def foreseen(connection: Connection, database: Database, plans: Mapping[int, Foreseen]) -> None:
    """The same for rows that the same transaction has made, by their ids; what their sources have done is done."""
    _store_plans(connection, database, [(number, one.plan, one.effects) for number, one in plans.items()])
    done = [
        {"of_key": key, "within": number, "what": clean(receipt)}
        for number, one in plans.items()
        for key, receipt in one.receipts.items()
    ]
    if done:
        connection.execute(_DONE, done)


def _store_plans(
    connection: Connection, database: Database, plans: Sequence[tuple[int, str, Sequence[EffectRecord]]]
) -> None:
    connection.execute(_PLANNED, [{"of_id": number, "what": clean(plan)} for number, plan, _ in plans])
    rows = [_values(number, record) for number, _, effects in plans for record in effects]
    if rows:
        connection.execute(_adding(database.insert), rows)


@cache
def _adding(insert: Callable[..., Any]) -> Any:
    return insert(effect).on_conflict_do_update(
        index_elements=["key"],
        set_={name: excluded(name) for name in ("ordinal", "place", "edits", "detail")},
        where=effect.c.message == excluded("message"),
    )


def started(database: Database, begun: Sequence[tuple[Claim, str]]) -> None:
    """pending → running, before the first byte of effects that cannot be repeated safely goes out."""
    if not begun:
        return
    with database.writing() as connection:
        fence(connection, {claim.id: claim for claim, _ in begun}.values())
        for claim, key in begun:
            if connection.execute(_STARTED, {"of_key": key, "within": claim.id}).rowcount != 1:
                raise Fenced(f"effect {key} of message {claim.id} is not pending any more")


def report(database: Database, reports: Sequence[Report]) -> None:
    """Store what became of effects, for a group of messages in one commit; a message ends with its last
    effect.

    Effects all done: done, or settled where the report says so. None pending any more and one dead: dead.
    """
    with database.writing() as connection:
        fence(connection, (each.claim for each in reports))
        _replace_places(connection, database, [each for each in reports if each.keep is not None])
        _store_outcomes(connection, reports)
        remember_all(connection, database, list(_memories(reports)))
        _conclude(connection, reports)


def postponed(database: Database, claim: Claim, error: str, at: datetime) -> None:
    """Planning could not be done now; the claim ends and the next try is not before `at`."""
    waiting = (
        update(message)
        .where(message.c.id == claim.id)
        .values(tries=message.c.tries + 1, next_try_at=micros(at), error=clean_error(error), **RELEASED)
    )
    with database.writing() as connection:
        fence(connection, [claim])
        connection.execute(waiting)


def dead(database: Database, claim: Claim, reason: str) -> None:
    """any → dead, for a message that cannot be planned or that killed its workers too often. It is kept."""
    with database.writing() as connection:
        fence(connection, [claim])
        values = {"of_id": claim.id, "into": State.DEAD, "how": claim.row.outcome, "why": clean_error(reason)}
        connection.execute(_ENDS, values)
        release_reservations(connection, [claim.row.key])


def settled(database: Database, ids: Collection[int], outcome: str) -> int:
    """done → settled: the source has confirmed.

    Repeating it changes nothing; answers how many rows it did change.
    """
    settling = (
        update(message)
        .where(message.c.id.in_(ids), message.c.state == State.DONE)
        .values(state=State.SETTLED, outcome=outcome, finished_at=Now())
    )
    with database.writing() as connection:
        return connection.execute(settling).rowcount


def _values(number: int, record: EffectRecord) -> dict[str, Any]:
    return {
        "message": number,
        "ordinal": record.ordinal,
        "key": record.key,
        "word": record.word,
        "target": clean(record.target),
        "place": record.place,
        "repeatable": record.repeatable,
        "edits": record.edits,
        "detail": clean(record.detail),
        "state": EffectState.PENDING.value,
    }


def _replace_places(connection: Connection, database: Database, reports: Iterable[Report]) -> None:
    for each in reports:
        assert each.keep is not None
        values = _values(each.claim.id, each.keep)
        fresh = values | {"uncertain": False, "tries": 0, "next_try_at": 0, "receipt": None, "error": None}
        del fresh["ordinal"]
        place = (effect.c.message == each.claim.id) & effect.c.place & (effect.c.ordinal >= 0)
        if connection.execute(update(effect).where(place).values(fresh)).rowcount == 0:
            connection.execute(database.insert(effect).values(values))


def _store_outcomes(connection: Connection, reports: Iterable[Report]) -> None:
    rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for each in reports:
        for statement, values in map(_outcome, each.outcomes):
            rows[statement].append(values | {"within": each.claim.id})
    for statement, group in rows.items():
        connection.execute(statement, group)


def _memories(reports: Iterable[Report]) -> Iterator[tuple[str, str, str, timedelta]]:
    for each in reports:
        for done in each.outcomes:
            if isinstance(done, Done) and done.memory is not None:
                space, key, period = done.memory
                yield space, key, done.key, period


def _outcome(outcome: Done | Later | Failed) -> tuple[Any, dict[str, Any]]:
    match outcome:
        case Done():
            return _DONE, {"of_key": outcome.key, "what": clean(outcome.receipt)}
        case Later():
            why = {"why": clean_error(outcome.error), "unsure": outcome.uncertain}
            return _LATER, {"of_key": outcome.key, "at": micros(outcome.at)} | why
        case Failed():
            why = {"why": clean_error(outcome.error), "unsure": outcome.uncertain}
            return _FAILED, {"of_key": outcome.key} | why
        case _:
            assert_never(outcome)


def _conclude(connection: Connection, reports: Sequence[Report]) -> None:
    standing: dict[int, dict[str, Any]] = {each.claim.id: {} for each in reports}
    for found in connection.execute(_STANDING, {"ids": list(standing)}):
        standing[found.message][found.state] = found
    ending, waiting = [], []
    for each in reports:
        states = standing[each.claim.id]
        unfinished = [states[state] for state in (EffectState.PENDING, EffectState.RUNNING) if state in states]
        if unfinished:
            waiting.append({"of_id": each.claim.id, "at": min(found.next_try_at for found in unfinished)})
        else:
            ending.append(_ending(each, states.get(EffectState.DEAD)))
    if ending:
        connection.execute(_ENDS, ending)
    if waiting:
        connection.execute(_WAITS, waiting)
    ended = {values["of_id"] for values in ending}
    release_reservations(connection, [each.claim.row.key for each in reports if each.claim.id in ended])
    released = [each.claim.id for each in reports if each.release and each.claim.id not in ended]
    if released:
        connection.execute(update(message).where(message.c.id.in_(released)).values(RELEASED))


def _ending(each: Report, died: Any) -> dict[str, Any]:
    alive = State.SETTLED if each.settle else State.DONE
    return {
        "of_id": each.claim.id,
        "into": (State.DEAD if died is not None else alive).value,
        "how": each.outcome,
        "why": None if died is None else died.error,
    }

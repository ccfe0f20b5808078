"""What happens to a message under a claim, each transition one fenced transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from postroom.errors import Fenced
from postroom.ledger.claims import RELEASED, fence
from postroom.ledger.columns import clean, clean_error, micros
from postroom.ledger.database import Connection, Database, Found
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
from postroom.ledger.statements import Statement, sql

_TRIED = "first_try_at = coalesce(first_try_at, NOW)"
_STARTED = sql(f"""
    UPDATE effect SET state = 'running', {_TRIED} WHERE key = :key AND message = :message AND state = 'pending'
""")
_DONE = sql(f"""
    UPDATE effect SET state = 'done', receipt = :receipt, uncertain = FALSE, error = NULL, {_TRIED}
    WHERE key = :key AND message = :message
""")
_LATER = sql(f"""
    UPDATE effect SET state = 'pending', tries = tries + 1, next_try_at = :at, error = :error, uncertain = :uncertain,
        {_TRIED}
    WHERE key = :key AND message = :message
""")
_FAILED = sql(f"""
    UPDATE effect SET state = 'dead', error = :error, uncertain = :uncertain, {_TRIED}
    WHERE key = :key AND message = :message
""")
_PLANNED = sql("""
    UPDATE message SET state = 'planned', plan = :plan, planned_at = NOW, next_try_at = 0, error = NULL
    WHERE id = :message AND state = 'received'
""")
_COLUMNS = ("message", "ordinal", "key", "word", "target", "place", "repeatable", "edits", "detail")
_ADD = f"""
    INSERT INTO effect ({", ".join(_COLUMNS)}, state) VALUES ({", ".join(f":{name}" for name in _COLUMNS)}, 'pending')
"""
# Of a plan that is made again, effects stay what they were under the same keys.
_ADD_AGAIN = sql(f"""
    {_ADD} ON CONFLICT (key) DO UPDATE
    SET ordinal = excluded.ordinal, place = excluded.place, edits = excluded.edits, detail = excluded.detail
    WHERE effect.message = excluded.message
""")
_ADD_PLACE = sql(_ADD)
# Kept already, when the rules had decided before (`replay --plan-again`): it comes back to its place.
_KNOWN = sql("SELECT 1 AS known FROM effect WHERE message = :message AND key = :key")
_MAKE_ROOM = sql("DELETE FROM effect WHERE message = :message AND place AND ordinal = :ordinal AND key <> :key")
_PLACE_AGAIN = sql("UPDATE effect SET ordinal = :ordinal, place = :place WHERE message = :message AND key = :key")
_REPLACE_PLACE = sql("""
    UPDATE effect SET key = :key, word = :word, target = :target, repeatable = :repeatable, edits = :edits,
        detail = :detail, state = 'pending', uncertain = FALSE, tries = 0, next_try_at = 0, receipt = NULL, error = NULL
    WHERE message = :message AND place AND ordinal = :ordinal
""")
_STANDING = sql("""
    SELECT message, state, min(next_try_at) AS next_try_at, min(nullif(next_try_at, 0)) AS later,
        max(error) AS error
    FROM effect
    WHERE message IN :ids AND ordinal >= 0 GROUP BY message, state
""")
_DONE_BEFORE = sql("SELECT key, receipt FROM effect WHERE message IN :ids AND ordinal >= 0 AND +state = 'done'")
_WAITS = sql("UPDATE message SET next_try_at = :at WHERE id = :message")
_RELEASE = sql(f"UPDATE message SET {RELEASED} WHERE id IN :ids")
_POSTPONED = sql(f"""
    UPDATE message SET tries = tries + 1, next_try_at = :at, error = :error, {RELEASED} WHERE id = :message
""")
_ENDS = sql(f"""
    UPDATE message SET state = :state, outcome = :outcome, error = :error, finished_at = NOW, {RELEASED}
    WHERE id = :message
""")
_SETTLED = sql("""
    UPDATE message SET state = 'settled', outcome = :outcome, finished_at = NOW WHERE id IN :ids AND +state = 'done'
""")


def planned(database: Database, plans: Sequence[PlanRecord]) -> Mapping[str, str | None]:
    """received → planned: plans and effects of a group of messages in one commit.

    An effect that was done under an earlier plan and has the key of a new one counts as done; answers the keys of
    these with their receipts.
    """
    # The first claim on a row is of epoch 1.
    again = [plan.claim.id for plan in plans if plan.claim.epoch > 1]
    with database.writing() as connection:
        fence(connection, (plan.claim for plan in plans))
        _store_plans(connection, [(plan.claim.id, plan.plan, plan.effects) for plan in plans])
        if not again:
            return {}
        return {found["key"]: found["receipt"] for found in connection.rows(_DONE_BEFORE, ids=again)}


def foreseen(connection: Connection, plans: Mapping[int, Foreseen]) -> None:
    """The same for rows that the same transaction has made, by their ids; what their sources have done is done."""
    _store_plans(connection, [(number, one.plan, one.effects) for number, one in plans.items()])
    done = [
        {"key": key, "message": number, "receipt": clean(receipt)}
        for number, one in plans.items()
        for key, receipt in one.receipts.items()
    ]
    connection.run_all(_DONE, done)


def _store_plans(connection: Connection, plans: Sequence[tuple[int, str, Sequence[EffectRecord]]]) -> None:
    connection.run_all(_PLANNED, [{"message": number, "plan": clean(plan)} for number, plan, _ in plans])
    connection.run_all(_ADD_AGAIN, [_values(number, record) for number, _, effects in plans for record in effects])


def started(database: Database, begun: Sequence[tuple[Claim, str]]) -> None:
    """pending → running, before the first byte of effects that cannot be repeated safely goes out."""
    if not begun:
        return
    with database.writing() as connection:
        fence(connection, {claim.id: claim for claim, _ in begun}.values())
        running = connection.run_all(_STARTED, [{"key": key, "message": claim.id} for claim, key in begun])
        if running != len(begun):
            raise Fenced(f"{len(begun) - running} of {len(begun)} effects to begin are not pending any more")


def report(database: Database, reports: Sequence[Report]) -> None:
    """Store what became of effects, for a group of messages in one commit; a message ends with its last
    effect.

    Effects all done: done, or settled where the report says so. None pending any more and one dead: dead.
    """
    with database.writing() as connection:
        fence(connection, (each.claim for each in reports))
        _replace_places(connection, [each for each in reports if each.keep is not None])
        _store_outcomes(connection, reports)
        remember_all(connection, list(_memories(reports)))
        _conclude(connection, reports)


def postponed(database: Database, claim: Claim, error: str, at: datetime) -> None:
    """Planning could not be done now; the claim ends and the next try is not before `at`."""
    with database.writing() as connection:
        fence(connection, [claim])
        connection.run(_POSTPONED, message=claim.id, at=micros(at), error=clean_error(error))


def dead(database: Database, claim: Claim, reason: str) -> None:
    """any → dead, for a message that cannot be planned or that killed its workers too often. It is kept."""
    with database.writing() as connection:
        fence(connection, [claim])
        connection.run(
            _ENDS, message=claim.id, state=State.DEAD.value, outcome=claim.row.outcome, error=clean_error(reason)
        )
        release_reservations(connection, [claim.row.key])


def settled(database: Database, ids: Collection[int], outcome: str) -> int:
    """done → settled: the source has confirmed.

    Repeating it changes nothing; answers how many rows it did change.
    """
    with database.writing() as connection:
        return connection.run(_SETTLED, ids=ids, outcome=outcome)


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
    }


def _replace_places(connection: Connection, reports: Iterable[Report]) -> None:
    for each in reports:
        assert each.keep is not None
        values = _values(each.claim.id, each.keep)
        if connection.row(_KNOWN, **values) is not None:
            connection.run(_MAKE_ROOM, **values)
            connection.run(_PLACE_AGAIN, **values)
        elif connection.run(_REPLACE_PLACE, **values) == 0:
            connection.run(_ADD_PLACE, **values)


def _store_outcomes(connection: Connection, reports: Iterable[Report]) -> None:
    values: dict[Statement, list[dict[str, Any]]] = defaultdict(list)
    for each in reports:
        for outcome in each.outcomes:
            statement, of = _outcome(outcome)
            values[statement].append(of | {"key": outcome.key, "message": each.claim.id})
    for statement, group in values.items():
        connection.run_all(statement, group)


def _memories(reports: Iterable[Report]) -> Iterator[tuple[str, str, str, timedelta]]:
    for each in reports:
        for done in each.outcomes:
            if isinstance(done, Done) and done.memory is not None:
                space, key, period = done.memory
                yield space, key, done.key, period


def _outcome(outcome: Done | Later | Failed) -> tuple[Statement, dict[str, Any]]:
    match outcome:
        case Done():
            return _DONE, {"receipt": clean(outcome.receipt)}
        case Later():
            why = {"error": clean_error(outcome.error), "uncertain": outcome.uncertain}
            return _LATER, why | {"at": micros(outcome.at)}
        case Failed():
            return _FAILED, {"error": clean_error(outcome.error), "uncertain": outcome.uncertain}
        case _:
            assert_never(outcome)


def _conclude(connection: Connection, reports: Sequence[Report]) -> None:
    standing: dict[int, dict[str, Found]] = {each.claim.id: {} for each in reports}
    for found in connection.rows(_STANDING, ids=standing):
        standing[found["message"]][found["state"]] = found
    ending, waiting = [], []
    for each in reports:
        states = standing[each.claim.id]
        unfinished = [states[state] for state in (EffectState.PENDING, EffectState.RUNNING) if state in states]
        if unfinished:
            waiting.append({"message": each.claim.id, "at": _due(unfinished, released=each.release)})
        else:
            ending.append(_ending(each, states.get(EffectState.DEAD)))
    connection.run_all(_ENDS, ending)
    connection.run_all(_WAITS, waiting)
    ended = {values["message"] for values in ending}
    release_reservations(connection, [each.claim.row.key for each in reports if each.claim.id in ended])
    released = [each.claim.id for each in reports if each.release and each.claim.id not in ended]
    if released:
        connection.run(_RELEASE, ids=released)


def _due(unfinished: Sequence[Found], *, released: bool) -> int:
    """When to go on. Who is through with a message for now has tried all but what waits for something that failed."""
    tried: list[int] = [found["later"] for found in unfinished if found["later"] is not None]
    every: list[int] = [found["next_try_at"] for found in unfinished]
    return min(tried if released and tried else every)


def _ending(each: Report, died: Found | None) -> dict[str, Any]:
    alive = State.SETTLED if each.settle else State.DONE
    return {
        "message": each.claim.id,
        "state": (State.DEAD if died is not None else alive).value,
        "outcome": each.outcome,
        "error": None if died is None else died["error"],
    }

"""Leases on rows: who may work on a message, and the fence that stops whoever lost it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    case,
    cast,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from postroom.errors import Fenced
from postroom.ledger.columns import span
from postroom.ledger.database import Database, Now
from postroom.ledger.owner import Owner, is_gone
from postroom.ledger.reading import CLAIMED, EFFECT, effect_row, row
from postroom.ledger.rows import OPEN, Claim, EffectRow, EffectState
from postroom.ledger.tables import effect, message

_IDS: BindParameter[int] = bindparam("ids", expanding=True)
_HELD = message.c.owner.is_not(None) & (message.c.lease_until > Now())
_FENCE = (
    select(message.c.id, message.c.owner, message.c.epoch)
    .where(message.c.id.in_(_IDS))
    .order_by(message.c.id)
    .with_for_update()  # says nothing on SQLite, whose writers are alone anyway
)
_HOLDERS = select(message.c.id, message.c.owner).where(message.c.id.in_(_IDS), message.c.state.in_(OPEN), _HELD)
_EFFECTS = select(*EFFECT).where(effect.c.message.in_(_IDS), effect.c.ordinal >= 0).order_by(effect.c.ordinal)
_RENEW = update(message).where(message.c.id.in_(_IDS)).values(lease_until=Now() + cast(bindparam("period"), BigInteger))
# Their worker died while they ran, so nobody knows whether they were done.
_INTERRUPTED = (
    update(effect)
    .where(effect.c.message.in_(_IDS), effect.c.state == EffectState.RUNNING)
    .values(state=EffectState.PENDING, uncertain=True, crashes=effect.c.crashes + 1)
)
RELEASED = {
    "owner": None,
    "lease_until": 0,
    "crashes": case((message.c.crashes > 0, message.c.crashes - 1), else_=0),
}


@dataclass(frozen=True, slots=True)
class Lease:
    """Who claims, and for how long without a renewal."""

    owner: Owner
    period: timedelta


def claim(database: Database, ids: Collection[int], lease: Lease) -> tuple[Claim, ...]:
    """Claim those of the rows that have work left and that no one else holds; each counts a crash until
    released."""
    if not ids:
        return ()
    with database.writing() as connection:
        return claim_rows(connection, ids, lease)


def claim_rows(connection: Connection, ids: Collection[int], lease: Lease) -> tuple[Claim, ...]:
    """`claim` inside a transaction."""
    claims = _take(connection, ids, lease, _TAKE_FREE)
    missing = set(ids).difference(claim.id for claim in claims)
    if missing:
        holders = connection.execute(_HOLDERS, {"ids": list(missing)})
        gone = [found for found in holders if is_gone(found.owner)]
        for found in gone:
            claims += _take(connection, [found.id], lease, _TAKE_OVER, gone=found.owner)
    return tuple(sorted(claims, key=lambda claim: claim.id))


def renew(database: Database, claims: Collection[Claim], period: timedelta) -> tuple[Claim, ...]:
    """Prolong the leases from now on; answers the claims that are still ours."""
    with database.writing() as connection:
        held = _still_held(connection, claims)
        connection.execute(_RENEW, {"ids": list(held), "period": span(period)})
    return tuple(claim for claim in claims if claim.id in held)


def release(database: Database, claims: Collection[Claim]) -> None:
    """Give the rows back without having changed them. One that is another's by now is left alone."""
    with database.writing() as connection:
        held = _still_held(connection, claims)
        connection.execute(update(message).where(message.c.id.in_(held)).values(RELEASED))


def fence(connection: Connection, claims: Iterable[Claim]) -> None:
    """Raise Fenced, before anything is written, unless every claim is still its owner's; locks the rows
    until commit."""
    claims = list(claims)
    lost = sorted({claim.id for claim in claims} - _still_held(connection, claims))
    if lost:
        raise Fenced(f"the lease on message {', '.join(map(str, lost))} went to another worker")


def _still_held(connection: Connection, claims: Collection[Claim]) -> set[int]:
    holders = {found.id: found for found in connection.execute(_FENCE, {"ids": [claim.id for claim in claims]})}
    return {
        claim.id
        for claim in claims
        if claim.id in holders and (holders[claim.id].owner, holders[claim.id].epoch) == (claim.owner, claim.epoch)
    }


def _taking(free: ColumnElement[bool]) -> ReturningUpdate[Any]:
    # A row that another transaction is changing right now is as good as held.
    candidates = (
        select(message.c.id)
        .where(message.c.id.in_(_IDS), message.c.state.in_(OPEN), free)
        .order_by(message.c.id)
        .with_for_update(skip_locked=True)
    )
    return (
        update(message)
        .where(message.c.id.in_(candidates))
        .values(
            owner=bindparam("taker"),
            epoch=message.c.epoch + 1,
            crashes=message.c.crashes + 1,
            lease_until=Now() + cast(bindparam("period"), BigInteger),
        )
        .returning(*CLAIMED)
    )


# Made once: to build such a statement takes longer than to run it.
_TAKE_FREE = _taking(~_HELD)
_TAKE_OVER = _taking(message.c.owner == bindparam("gone"))


def _take(
    connection: Connection, ids: Collection[int], lease: Lease, taking: ReturningUpdate[Any], **more: str
) -> tuple[Claim, ...]:
    values = {"ids": list(ids), "taker": str(lease.owner), "period": span(lease.period), **more}
    taken = connection.execute(taking, values).all()
    planned = [found.id for found in taken if found.plan is not None]
    effects = _effects(connection, planned) if planned else {}
    return tuple(
        Claim(
            row=row(found, plan=found.plan),
            owner=str(lease.owner),
            epoch=found.epoch,
            effects=tuple(effects.get(found.id, ())),
        )
        for found in taken
    )


def _effects(connection: Connection, messages: Sequence[int]) -> dict[int, list[EffectRow]]:
    connection.execute(_INTERRUPTED, {"ids": messages})
    effects: dict[int, list[EffectRow]] = {}
    for found in connection.execute(_EFFECTS, {"ids": messages}):
        effects.setdefault(found.message, []).append(effect_row(found))
    return effects

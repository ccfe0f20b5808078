"""Leases on rows: who may work on a message, and the fence that stops whoever lost it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from postroom.errors import Fenced
from postroom.ledger.columns import span
from postroom.ledger.database import Connection, Database, Found
from postroom.ledger.owner import Owner, is_gone
from postroom.ledger.reading import EFFECT, LISTED, effect_row, row
from postroom.ledger.rows import Claim, EffectRow
from postroom.ledger.statements import sql

OPEN = "state IN ('received', 'planned')"  # rows with work left
HELD = "(owner IS NOT NULL AND lease_until > NOW)"
# What ends a claim well.
RELEASED = "owner = NULL, lease_until = 0, crashes = CASE WHEN crashes > 0 THEN crashes - 1 ELSE 0 END"

_FENCE = sql("SELECT id, owner, epoch FROM message WHERE id IN :ids ORDER BY id FOR UPDATE")
_HOLDERS = sql(f"SELECT id, owner FROM message WHERE id IN :ids AND +{OPEN} AND {HELD}")
_EFFECTS = sql(f"SELECT {EFFECT} FROM effect WHERE message IN :ids AND ordinal >= 0 ORDER BY ordinal")
_RENEW = sql("UPDATE message SET lease_until = NOW + :period WHERE id IN :ids")
_RELEASE = sql(f"UPDATE message SET {RELEASED} WHERE id IN :ids")
# Their worker died while they ran, so nobody knows whether they were done.
_INTERRUPTED = sql("""
    UPDATE effect SET state = 'pending', uncertain = TRUE, crashes = crashes + 1
    WHERE message IN :ids AND +state = 'running'
""")


# A row that another transaction is changing right now is as good as held.
_TAKEABLE = f"SELECT {LISTED}, plan, epoch FROM message WHERE id IN :ids AND +{OPEN}"
_FREE = sql(f"{_TAKEABLE} AND NOT {HELD} ORDER BY id FOR UPDATE SKIP LOCKED")
_ORPHANED = sql(f"{_TAKEABLE} AND owner = :gone ORDER BY id FOR UPDATE SKIP LOCKED")
_TAKE = sql("""
    UPDATE message SET owner = :owner, epoch = epoch + 1, crashes = crashes + 1, lease_until = NOW + :period
    WHERE id IN :ids
""")
CONTENTS = sql("SELECT name, bytes FROM blob WHERE name IN :names AND bytes IS NOT NULL")


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
    claims = _take(connection, connection.rows(_FREE, ids=ids), lease)
    missing = set(ids).difference(claim.id for claim in claims)
    if missing:
        gone = [found for found in connection.rows(_HOLDERS, ids=missing) if is_gone(found["owner"])]
        for found in gone:
            orphaned = connection.rows(_ORPHANED, ids=[found["id"]], gone=found["owner"])
            claims += _take(connection, orphaned, lease)
    return tuple(sorted(claims, key=lambda claim: claim.id))


def renew(database: Database, claims: Collection[Claim], period: timedelta) -> tuple[Claim, ...]:
    """Prolong the leases from now on; answers the claims that are still ours."""
    with database.writing() as connection:
        held = _still_held(connection, claims)
        connection.run(_RENEW, ids=held, period=span(period))
    return tuple(claim for claim in claims if claim.id in held)


def release(database: Database, claims: Collection[Claim]) -> None:
    """Give the rows back without having changed them. One that is another's by now is left alone."""
    with database.writing() as connection:
        connection.run(_RELEASE, ids=_still_held(connection, claims))


def fence(connection: Connection, claims: Iterable[Claim]) -> None:
    """Raise Fenced, before anything is written, unless every claim is still its owner's; locks the rows
    until commit."""
    claims = list(claims)
    lost = sorted({claim.id for claim in claims} - _still_held(connection, claims))
    if lost:
        raise Fenced(f"the lease on message {', '.join(map(str, lost))} went to another worker")


def _still_held(connection: Connection, claims: Collection[Claim]) -> set[int]:
    holders = connection.rows(_FENCE, ids=[claim.id for claim in claims])
    held = {(found["id"], found["owner"], found["epoch"]) for found in holders}
    return {claim.id for claim in claims if (claim.id, claim.owner, claim.epoch) in held}


def _take(connection: Connection, free: Sequence[Found], lease: Lease) -> tuple[Claim, ...]:
    """Of rows as they were before, which nobody else can change meanwhile."""
    if not free:
        return ()
    owner = str(lease.owner)
    connection.run(_TAKE, ids=[found["id"] for found in free], owner=owner, period=span(lease.period))
    names = [found["blob"] for found in free if found["blob"] is not None]
    contents = {found["name"]: found["bytes"] for found in connection.rows(CONTENTS, names=names)}
    planned = [found["id"] for found in free if found["plan"] is not None]
    effects = _effects(connection, planned) if planned else {}
    return tuple(
        Claim(
            row=row(found, plan=found["plan"], crashes=found["crashes"] + 1),
            owner=owner,
            epoch=found["epoch"] + 1,
            content=contents.get(found["blob"]),
            effects=tuple(effects.get(found["id"], ())),
        )
        for found in free
    )


def _effects(connection: Connection, messages: Sequence[int]) -> dict[int, list[EffectRow]]:
    connection.run(_INTERRUPTED, ids=messages)
    effects: dict[int, list[EffectRow]] = {}
    for found in connection.rows(_EFFECTS, ids=messages):
        effects.setdefault(found["message"], []).append(effect_row(found))
    return effects

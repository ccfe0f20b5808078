"""The ledger: messages, effects, leases and memories in SQLite or PostgreSQL.

Imports SQLAlchemy: import it on use.
"""

from postroom.ledger.claims import Lease
from postroom.ledger.columns import message_key
from postroom.ledger.ledger import Ledger
from postroom.ledger.owner import Owner
from postroom.ledger.rows import (
    ENDED,
    OPEN,
    Arrival,
    Batch,
    Claim,
    Counts,
    Cursor,
    Done,
    EffectRecord,
    EffectRow,
    EffectState,
    Failed,
    Later,
    PlanRecord,
    Query,
    Recorded,
    Refused,
    Report,
    Retained,
    Retention,
    Row,
    Shown,
    State,
)

__all__ = [
    "ENDED",
    "OPEN",
    "Arrival",
    "Batch",
    "Claim",
    "Counts",
    "Cursor",
    "Done",
    "EffectRecord",
    "EffectRow",
    "EffectState",
    "Failed",
    "Later",
    "Lease",
    "Ledger",
    "Owner",
    "PlanRecord",
    "Query",
    "Recorded",
    "Refused",
    "Report",
    "Retained",
    "Retention",
    "Row",
    "Shown",
    "State",
    "message_key",
]

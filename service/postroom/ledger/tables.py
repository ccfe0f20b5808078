"""The ledger's tables. Times are microseconds since 1970 in UTC; 0 where they are compared means "at once".

The newest shape; `migrations` brings older databases to it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# SQLite numbers rows by itself only in a column of exactly this type.
_ID = BigInteger().with_variant(Integer(), "sqlite")
_ZERO = text("0")
_FALSE = text("false")

message = Table(
    "message",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("mailbox", Text, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("pipeline", Text, nullable=False),
    Column("store", Text),
    Column("folder", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("prefix", LargeBinary, nullable=False),
    Column("blob", Text),
    Column("sha256", Text),
    Column("size", BigInteger, nullable=False),
    Column("message_id", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("plan", Text),
    Column("planned_at", BigInteger),
    Column("crashes", Integer, nullable=False, server_default=_ZERO),
    Column("tries", Integer, nullable=False, server_default=_ZERO),
    Column("rung_at", BigInteger, nullable=False),
    Column("next_try_at", BigInteger, nullable=False, server_default=_ZERO),
    Column("owner", Text),
    Column("epoch", BigInteger, nullable=False, server_default=_ZERO),
    Column("lease_until", BigInteger, nullable=False, server_default=_ZERO),
    Column("error", Text),
    Column("finished_at", BigInteger),
    UniqueConstraint("mailbox", "source_key"),
    Index("message_due", "state", "next_try_at"),
    Index("message_mailbox", "mailbox", "state"),
    Index("message_sha256", "sha256"),
    Index("message_message_id", "message_id"),
)

effect = Table(
    "effect",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("message", BigInteger, nullable=False),
    # Below 0: done under an earlier plan that was made again.
    Column("ordinal", BigInteger, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("word", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("place", Boolean, nullable=False),
    Column("repeatable", Boolean, nullable=False),
    Column("edits", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("uncertain", Boolean, nullable=False, server_default=_FALSE),
    Column("crashes", Integer, nullable=False, server_default=_ZERO),
    Column("tries", Integer, nullable=False, server_default=_ZERO),
    Column("first_try_at", BigInteger),
    Column("next_try_at", BigInteger, nullable=False, server_default=_ZERO),
    Column("receipt", Text),
    Column("error", Text),
    UniqueConstraint("message", "ordinal"),
    Index("effect_due", "state", "next_try_at"),
)

blob = Table(
    "blob",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("bytes", LargeBinary),  # null: they lie in the spool
    Column("created_at", BigInteger, nullable=False),
)

cursor = Table(
    "cursor",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("reconciled_at", BigInteger),
)

identity = Table(
    "identity",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("sha256", Text),
    Column("seen_at", BigInteger, nullable=False),
    Index("identity_sha256", "sha256"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

watch = Table(
    "watch",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("looked_at", BigInteger),
    Column("refused", Text),
    Column("paused", Text),
    Column("reconnects", BigInteger, nullable=False),
)

memory = Table(
    "memory",
    metadata,
    Column("space", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("count", Integer, nullable=False),  # 0: only reserved by its holder
    Column("until", BigInteger, nullable=False),
    Index("memory_until", "until"),
    Index("memory_holder", "holder"),
)

schema = Table("schema", metadata, Column("version", SmallInteger, nullable=False))

"""The ledger's tables. Times are microseconds since 1970 in UTC; 0 where they are compared means "at once".

The newest shape; `migrations` brings older databases to it. ID numbers rows by itself, OCTETS holds any.
"""

MESSAGE = """
CREATE TABLE message (
    id ID PRIMARY KEY,
    mailbox TEXT NOT NULL,
    source_key TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    pipeline TEXT NOT NULL,
    store TEXT,
    folder TEXT NOT NULL,
    flags TEXT NOT NULL,
    envelope TEXT NOT NULL,
    prefix OCTETS NOT NULL,
    blob TEXT,
    sha256 TEXT,
    size BIGINT NOT NULL,
    message_id TEXT,
    received_at BIGINT NOT NULL,
    plan TEXT,
    planned_at BIGINT,
    crashes INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    rung_at BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL DEFAULT 0,
    owner TEXT,
    epoch BIGINT NOT NULL DEFAULT 0,
    lease_until BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    finished_at BIGINT,
    UNIQUE (mailbox, source_key)
)
"""

# `ordinal` is below 0 where it was done under an earlier plan that was made again.
EFFECT = """
CREATE TABLE effect (
    id ID PRIMARY KEY,
    message BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    word TEXT NOT NULL,
    target TEXT NOT NULL,
    place BOOLEAN NOT NULL,
    repeatable BOOLEAN NOT NULL,
    edits INTEGER NOT NULL,
    detail TEXT NOT NULL,
    state TEXT NOT NULL,
    uncertain BOOLEAN NOT NULL DEFAULT FALSE,
    crashes INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    first_try_at BIGINT,
    next_try_at BIGINT NOT NULL DEFAULT 0,
    receipt TEXT,
    error TEXT,
    UNIQUE (message, ordinal)
)
"""

# `bytes` is null where they lie in the spool.
BLOB = """
CREATE TABLE blob (
    name TEXT PRIMARY KEY NOT NULL,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    bytes OCTETS,
    created_at BIGINT NOT NULL
)
"""

CURSOR = """
CREATE TABLE cursor (
    mailbox TEXT NOT NULL,
    folder TEXT NOT NULL,
    uidvalidity BIGINT NOT NULL,
    next BIGINT NOT NULL,
    reconciled_at BIGINT,
    PRIMARY KEY (mailbox, folder)
)
"""

IDENTITY = """
CREATE TABLE identity (
    mailbox TEXT NOT NULL,
    source_key TEXT NOT NULL,
    sha256 TEXT,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (mailbox, source_key)
)
"""

LEASE = """
CREATE TABLE lease (
    name TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL
)
"""

WATCH = """
CREATE TABLE watch (
    mailbox TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    connected BOOLEAN NOT NULL,
    changed_at BIGINT NOT NULL,
    looked_at BIGINT,
    refused TEXT,
    paused TEXT,
    reconnects BIGINT NOT NULL
)
"""

# `count` is 0 where it is only reserved by its holder.
MEMORY = """
CREATE TABLE memory (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    count INTEGER NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (space, key)
)
"""

SCHEMA = "CREATE TABLE schema (version SMALLINT NOT NULL)"

FINISHED = "CREATE INDEX message_finished ON message (state, finished_at) WHERE finished_at IS NOT NULL"

TABLES = (MESSAGE, EFFECT, BLOB, CURSOR, IDENTITY, LEASE, WATCH, MEMORY, SCHEMA)
INDEXES = (
    "CREATE INDEX message_due ON message (state, next_try_at)",
    "CREATE INDEX message_mailbox ON message (mailbox, state)",
    "CREATE INDEX message_sha256 ON message (sha256)",
    "CREATE INDEX message_message_id ON message (message_id)",
    FINISHED,
    "CREATE INDEX effect_due ON effect (state, next_try_at)",
    "CREATE INDEX identity_sha256 ON identity (sha256)",
    "CREATE INDEX memory_until ON memory (until)",
    "CREATE INDEX memory_holder ON memory (holder)",
)

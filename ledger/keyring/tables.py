"""The keyring's tables, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("epoch", Integer),
)
"""``epoch``: under which the value is sealed; null where it is not."""

epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("mac", LargeBinary, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("subject_mac", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("identifiers_by_subject", "subject_mac"),
    Index("identifiers_by_type", "type"),
)
"""``subject_mac`` finds the identifiers of a reference, which an erasure deletes; the reference itself is sealed."""

subjects = Table(
    "subjects",
    metadata,
    Column("ref", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("erased_at", String),
)

subject_links = Table(
    "subject_links",
    metadata,
    Column("ref", String, primary_key=True),
    Column("other", String, primary_key=True),
    Column("linked_at", String, nullable=False),
)
"""References of one person, each pair in both directions: links join references, never keys."""

data_keys = Table(
    "data_keys",
    metadata,
    Column("ref", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

partition_trees = Table(
    "partition_trees",
    metadata,
    Column("path", String, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("sealed", LargeBinary),
    Column("state", String, nullable=False),
    Column("ended_at", String),
)
"""``sealed`` is null, and ``state`` no longer ``live``, once the tree was destroyed as a whole."""

inputs = Table(
    "inputs",
    metadata,
    Column("ref", String, primary_key=True),
    Column("uri_mac", LargeBinary, nullable=False),
    Column("adapter", String, nullable=False),
    Column("framing", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sealed_uri", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
    Index("inputs_by_uri", "uri_mac"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("uri_mac", LargeBinary, primary_key=True),
    Column("input", String, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("input", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("attempt", String, nullable=False),
    Column("from_byte", BigInteger, nullable=False),
    Column("to_byte", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("mac", LargeBinary),
    Index("steps_by_mac", "mac"),
    Index("steps_by_end", "to_byte", "from_byte"),
    Index("steps_by_path", "path"),
)
"""``mac`` is null once content that it is over was ended: a digest of it must not survive."""

borrowed = Table(
    "borrowed",
    metadata,
    Column("input", String, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("lender", String, primary_key=True),
    Column("lender_step", BigInteger, primary_key=True),
    Index("borrowed_by_lender", "lender", "lender_step"),
)
"""Portions that hold bytes which are the content of another input's records: their digests go with those."""

spools = Table(
    "spools",
    metadata,
    Column("spool", String, primary_key=True),
    Column("folder", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary),
    Column("last_number", BigInteger, nullable=False),
    Column("state", String, nullable=False),
)

publisher = Table(
    "publisher",
    metadata,
    Column("origin", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    UniqueConstraint("origin"),
)

"""The keyring: what turns identifiers into random references, and holds every key that can be destroyed.

It stands outside the store. Everything in it is wrapped by an epoch key, which the key-encryption key wraps.
Three states of a subject's key are kept apart: never existed, live, erased.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from sqlalchemy import Connection, Engine, Row, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger import canonical
from ledger.clock import utc_now as utc_now
from ledger.errors import ConfigError, ErasedError, KeyringError
from ledger.kdf import DataKey, derive
from ledger.kek import KeyEncryptionKey
from ledger.keyring import tables
from ledger.keyring.engine import exists, open_engine, reading, transaction
from ledger.keyring.identifiers import NORMALISER, Identifier, mac_input, normalise
from ledger.keytree import KeyTree

KEY_BYTES: Final = 32
VERSION: Final = b"2"
_BATCH: Final = 500


def new_reference() -> str:
    """A random reference: 128 bits as 32 lower-case hex digits."""
    return secrets.token_hex(16)


class Keyring:
    """An open keyring. ``epoch`` is the newest epoch, whose key wraps everything new."""

    def __init__(self, engine: Engine, kek: KeyEncryptionKey) -> None:
        self.engine = engine
        self.kek = kek
        self._epochs: dict[int, bytes] = {}
        self._wrapped: dict[int, bytes] = {}
        self.epoch = 0
        with reading(engine) as connection:
            meta = {row.name: row for row in connection.execute(select(tables.meta))}
            if "version" not in meta or bytes(meta["version"].value) != VERSION:
                raise KeyringError("the keyring has a version that this program does not know")
            self.store_id = bytes(meta["store_id"].value).decode()
            self.follow(connection)
        bookmark = meta["bookmark_key"]
        self._bookmark_key = self._open_sealed(bookmark.epoch, meta_label("bookmark_key"), bookmark.value)

    @classmethod
    def create(cls, url: str, kek: KeyEncryptionKey, store_id: str) -> Keyring:
        """A new keyring with its first epoch. Raises ConfigError if there is one already."""
        with _kept(open_engine(url)) as engine:
            epoch_key = secrets.token_bytes(KEY_BYTES)
            first = {"epoch": 1, "wrapped": kek.wrap(epoch_key, store_id), "created_at": utc_now()}
            bookmark_key = _seal(epoch_key, meta_label("bookmark_key"), secrets.token_bytes(KEY_BYTES))
            with transaction(engine) as connection:
                tables.metadata.create_all(connection)
                if connection.execute(select(tables.meta)).first() is not None:
                    raise ConfigError("a keyring exists there and is not overwritten")
                connection.execute(insert(tables.epochs), first)
                connection.execute(
                    insert(tables.meta),
                    [
                        {"name": "version", "value": VERSION, "epoch": None},
                        {"name": "store_id", "value": store_id.encode(), "epoch": None},
                        {"name": "bookmark_key", "value": bookmark_key, "epoch": 1},
                    ],
                )
            return cls(engine, kek)

    @classmethod
    def open(cls, url: str, kek: KeyEncryptionKey) -> Keyring:
        """An existing keyring. Raises KeyringError if there is none or the KEK is not its own."""
        if not exists(url):
            raise KeyringError("there is no keyring where the configuration says")
        with _kept(open_engine(url)) as engine:
            return cls(engine, kek)

    def close(self) -> None:
        """Give the database connections back."""
        self.engine.dispose()

    # -- epochs

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction in which keys are wrapped: under the newest epoch, also after another process rotated.

        A rotation locks the epochs against this, so one waits for the other; on SQLite all who write do.
        """
        with transaction(self.engine) as connection:
            self.follow(connection, hold=True)
            yield connection

    def follow(self, connection: Connection, *, hold: bool = False) -> None:
        """Take up the epochs as they are now, first in a transaction; keys of those that are gone are forgotten.

        ``hold``: and keep them from changing until its end. An older epoch whose KEK is gone is passed over: a
        rotation destroys that KEK before the epoch's row.
        """
        if hold:
            lock_epochs(connection, "SHARE")
        rows = connection.execute(select(tables.epochs).order_by(tables.epochs.c.epoch.desc())).all()
        if not rows:
            raise KeyringError("the keyring is empty")
        found: dict[int, bytes] = {}
        for row in rows:
            wrapped = bytes(row.wrapped)
            known = self._epochs.get(row.epoch) if self._wrapped.get(row.epoch) == wrapped else None
            try:
                found[row.epoch] = known or self.kek.unwrap(wrapped, self.store_id)
            except KeyringError:
                if not found:
                    raise
        self._epochs, self._wrapped = found, {row.epoch: bytes(row.wrapped) for row in rows}
        self.epoch = max(found)

    def _epoch_key(self, epoch: int) -> bytes:
        """The key of an epoch, which may have begun since this process looked. Raises KeyError if it is gone."""
        if epoch not in self._epochs:
            with reading(self.engine) as connection:
                self.follow(connection)
        return self._epochs[epoch]

    # -- identifiers and subjects

    def resolve(self, identifiers: Iterable[Identifier]) -> dict[Identifier, str]:
        """A reference for every identifier, making new ones where there are none; durable when it returns."""
        distinct = set(identifiers)
        if not distinct:
            return {}
        with self.writing() as connection:
            wanted = {identifier: self._mac(identifier) for identifier in distinct}
            known = self._references(connection, list(wanted.values()))
            missing = {mac: identifier for identifier, mac in wanted.items() if mac not in known}
            if missing:
                self._enrol(connection, missing)
                known = self._references(connection, list(wanted.values()))
        return {identifier: known[mac] for identifier, mac in wanted.items()}

    def lookup(self, value: str, types: Sequence[str] | None = None) -> list[str]:
        """The references of a value under the given identifier types, or under every type in use."""
        with reading(self.engine) as connection:
            self.follow(connection)
            if types is None:
                types = _types(connection)
            macs = [self._mac(Identifier(kind, value)) for kind in types]
            return sorted(set(self._references(connection, macs).values()))

    def data_keys(self, references: Iterable[str]) -> dict[str, DataKey]:
        """The newest data key of each subject, made where there never was one; durable when it returns.

        Raises ErasedError for a subject whose key was destroyed: it never gets another.
        """
        wanted = sorted(set(references))
        with reading(self.engine) as connection:
            found = self._newest_keys(connection, wanted)
        missing = [reference for reference in wanted if reference not in found]
        if missing:
            with self.writing() as connection:
                self._add_subjects(connection, missing)
                found |= self._newest_keys(connection, missing)
            for reference in missing:
                if reference not in found:
                    self._explain_missing(reference)
        return found

    def _newest_keys(self, connection: Connection, references: Sequence[str]) -> dict[str, DataKey]:
        keys, subjects = tables.data_keys, tables.subjects
        live = select(keys).join(subjects, subjects.c.ref == keys.c.ref).where(subjects.c.state == "live")
        found: dict[str, DataKey] = {}
        for batch in batches(references):
            for row in connection.execute(live.where(keys.c.ref.in_(batch)).order_by(keys.c.version)):
                found[row.ref] = DataKey(row.version, self._unwrap(row.epoch, row.wrapped))
        return found

    def existing_keys(self, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Those of the given (reference, version) keys that are here; none is made."""
        pairs = set(wanted)
        keys = tables.data_keys
        found: dict[tuple[str, int], bytes] = {}
        with reading(self.engine) as connection:
            for batch in batches(sorted({reference for reference, _ in pairs})):
                for row in connection.execute(select(keys).where(keys.c.ref.in_(batch))):
                    if (row.ref, row.version) in pairs:
                        found[(row.ref, row.version)] = self._unwrap(row.epoch, row.wrapped)
        return found

    def data_key(self, reference: str, version: int) -> bytes:
        """One data key. Raises ErasedError if it was destroyed, KeyringError if it never existed here."""
        keys = tables.data_keys
        with reading(self.engine) as connection:
            row = connection.execute(
                select(keys.c.epoch, keys.c.wrapped).where(keys.c.ref == reference, keys.c.version == version)
            ).first()
        if row is None:
            self._explain_missing(reference)
        return self._unwrap(row.epoch, row.wrapped)

    def state(self, reference: str) -> str:
        """``live``, ``erasing`` (readable still, nothing new is sealed for it), ``erased``, or ``never existed``."""
        with reading(self.engine) as connection:
            row = connection.execute(select(tables.subjects.c.state).where(tables.subjects.c.ref == reference)).first()
        return "never existed" if row is None else str(row.state)

    def _explain_missing(self, reference: str) -> NoReturn:
        state = self.state(reference)
        if state in ("erased", "erasing"):
            raise ErasedError(f"the key of subject {reference} was destroyed")
        raise KeyringError(f"no key of subject {reference} in this keyring ({state})")

    def _enrol(self, connection: Connection, missing: dict[bytes, Identifier]) -> None:
        references = {mac: new_reference() for mac in missing}
        rows = [self.identifier_row(identifier, references[mac]) for mac, identifier in missing.items()]
        insert_new(connection, tables.identifiers, rows)

    def identifier_row(self, identifier: Identifier, reference: str) -> dict[str, Any]:
        """The row by which an identifier leads to a reference, under the newest epoch. For use in ``writing``."""
        mac = self._mac(identifier)
        value = normalise(identifier).value.encode("utf-8", "surrogatepass").hex()
        plain = canonical.encode({"normaliser": NORMALISER, "ref": reference, "value": value})
        return {
            "mac": mac,
            "epoch": self.epoch,
            "type": identifier.type,
            "subject_mac": self.subject_mac(reference, self.epoch),
            "sealed": self.seal_here(mac, plain),
        }

    def open_identifier(self, row: Row[Any]) -> tuple[Identifier, str]:
        """The normal form of the identifier in a row, and its reference."""
        opened = canonical.decode(self._open_sealed(row.epoch, bytes(row.mac), row.sealed))
        value = bytes.fromhex(opened["value"]).decode("utf-8", "surrogatepass")
        return Identifier(row.type, value), opened["ref"]

    def _add_subjects(self, connection: Connection, references: Sequence[str]) -> None:
        """First data keys for references that have no state yet; an erased one keeps its state and gets none."""
        now = utc_now()
        epoch_key = self._epochs[self.epoch]
        table = tables.subjects
        known: set[str] = set()
        for batch in batches(references):
            known.update(connection.execute(select(table.c.ref).where(table.c.ref.in_(batch))).scalars())
        new = [reference for reference in references if reference not in known]
        insert_new(connection, table, [{"ref": ref, "state": "live", "created_at": now} for ref in new])
        keys = [
            {
                "ref": reference,
                "version": 1,
                "epoch": self.epoch,
                "wrapped": aes_key_wrap(epoch_key, secrets.token_bytes(KEY_BYTES)),
            }
            for reference in new
        ]
        insert_new(connection, tables.data_keys, keys)

    def _references(self, connection: Connection, macs: Sequence[bytes]) -> dict[bytes, str]:
        known: dict[bytes, str] = {}
        table = tables.identifiers
        for batch in batches(macs):
            for row in connection.execute(select(table).where(table.c.mac.in_(batch))):
                known[bytes(row.mac)] = self.open_identifier(row)[1]
        return known

    def _mac(self, identifier: Identifier) -> bytes:
        key = derive(self._epochs[self.epoch], f"evidence/v1/index/{identifier.type}".encode())
        return hmac.digest(key, mac_input(identifier), "sha256")

    def subject_mac(self, reference: str, epoch: int) -> bytes:
        """What the identifiers of a reference are found by, among those of one epoch."""
        return hmac.digest(derive(self._epoch_key(epoch), b"evidence/v1/subject"), reference.encode(), "sha256")

    def live_epochs(self) -> list[int]:
        """The epochs whose keys are here, oldest first."""
        return sorted(self._epochs)

    # -- partitions

    def put_tree(self, path: str, tree: KeyTree) -> None:
        """Keep the key tree of the content object at ``path``; durable when it returns."""
        with self.writing() as connection:
            sealed = self.seal_here(path.encode(), tree.to_bytes())
            row = {"path": path, "epoch": self.epoch, "sealed": sealed, "state": "live"}
            connection.execute(insert(tables.partition_trees), row)

    def tree(self, path: str) -> KeyTree:
        """The key tree of a content object. Raises ErasedError if it was destroyed, KeyringError if it is not here."""
        table = tables.partition_trees
        with reading(self.engine) as connection:
            row = connection.execute(select(table).where(table.c.path == path)).first()
        if row is None:
            raise KeyringError("the partition's key is not in this keyring", path=path)
        if row.sealed is None:
            raise ErasedError(f"the partition's key was destroyed ({row.state})", path=path)
        return KeyTree.from_bytes(self._open_sealed(row.epoch, path.encode(), row.sealed))

    # -- helpers that the other parts of the keyring share

    def bookmark_mac(self) -> hmac.HMAC:
        """A running HMAC-SHA256 under the store's bookmark key."""
        return hmac.new(self._bookmark_key, digestmod=hashlib.sha256)

    def secret_mac(self, purpose: str) -> hmac.HMAC:
        """A running HMAC-SHA256 under a key of this store for one purpose: nobody without the keyring can make it."""
        return hmac.new(derive(self._bookmark_key, f"evidence/v1/{purpose}".encode()), digestmod=hashlib.sha256)

    def mask(self, digest: bytes) -> bytes:
        """A digest as it stands in a column that is searched: AES-SIV under the newest epoch key, after ``follow``.

        Under the bookmark key alone, which lives on, an old backup would keep digests of content that was erased since.
        """
        return self._masking(self.epoch).encrypt(digest, None)

    def unmask(self, masked: bytes, epoch: int | None = None) -> bytes:
        """The inverse of mask. All rows are under one epoch: the newest, but for a rotation that is at work."""
        try:
            return self._masking(self.epoch if epoch is None else epoch).decrypt(masked, None)
        except InvalidTag:
            raise KeyringError("a digest in the keyring cannot be opened") from None

    def _masking(self, epoch: int) -> AESSIV:
        key = self._epoch_key(epoch)
        return AESSIV(derive(key, b"evidence/v1/mask/mac") + derive(key, b"evidence/v1/mask/encrypt"))

    def seal_here(self, label: bytes, plain: bytes) -> bytes:
        """Seal bytes under the newest epoch key, bound to ``label``. For use in ``writing``."""
        return _seal(self._epochs[self.epoch], label, plain)

    def derived(self, info: bytes) -> bytes:
        """A key that follows from the newest epoch key, and is lost with it."""
        with reading(self.engine) as connection:
            self.follow(connection)
        return derive(self._epochs[self.epoch], info)

    def open_here(self, epoch: int, label: bytes, sealed: bytes) -> bytes:
        """The inverse of seal_here for the epoch that sealed."""
        return self._open_sealed(epoch, label, sealed)

    def wrap(self, key: bytes) -> bytes:
        """A 32-byte key wrapped under the newest epoch key. For use in ``writing``."""
        return aes_key_wrap(self._epochs[self.epoch], key)

    def unwrap(self, epoch: int, wrapped: bytes) -> bytes:
        """The inverse of wrap."""
        return self._unwrap(epoch, wrapped)

    def _unwrap(self, epoch: int, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._epoch_key(epoch), wrapped)
        except (KeyError, InvalidUnwrap, ValueError):
            raise KeyringError(f"a key of epoch {epoch} cannot be unwrapped") from None

    def _open_sealed(self, epoch: int, label: bytes, sealed: bytes) -> bytes:
        try:
            return AESGCM(self._epoch_key(epoch)).decrypt(sealed[:12], sealed[12:], label)
        except (KeyError, InvalidTag, ValueError):
            raise KeyringError(f"a keyring row of epoch {epoch} cannot be opened") from None


@contextmanager
def _kept(engine: Engine) -> Iterator[Engine]:
    """An engine whose connections are given back where something fails."""
    try:
        yield engine
    except BaseException:
        engine.dispose()
        raise


def meta_label(name: str) -> bytes:
    """What a sealed value of ``meta`` is bound to: ``bookmark`` for ``bookmark_key``."""
    return name.removesuffix("_key").encode()


def lock_epochs(connection: Connection, mode: str) -> None:
    """Keep rotations (mode SHARE), or all who wrap (EXCLUSIVE), waiting. SQLite has one writer at a time anyhow.

    The table, not its rows: a row that a rotation inserts meanwhile would escape the look at those that were locked.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {tables.epochs.name} IN {mode} MODE")


def _seal(key: bytes, label: bytes, plain: bytes) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, label)


def _types(connection: Connection) -> list[str]:
    """The identifier types in use, each found by one step in the index: reading all rows would take long."""
    column = tables.identifiers.c.type
    found: list[str] = []
    while True:
        statement = select(column).order_by(column).limit(1)
        following = connection.execute(statement.where(column > found[-1]) if found else statement).scalar()
        if following is None:
            return found
        found.append(following)


def batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The items in parts that one statement can hold."""
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet: what another process inserted first stays."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    if rows:
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)

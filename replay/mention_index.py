"""The mention index: where in content identifiers were found. A derived, sealed, local file that can be deleted.

Rows are found by keyed digests of identifiers and sealed under keys that follow from the keyring's newest epoch, so the
file says to nobody without the keyring who is mentioned where. It holds places, never a value. It follows the ledger:
what was redacted, erased in part or expired is dropped and read again, and an index that was not told whom an erasure
has erased is emptied.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from ledger.clock import utc_now
from ledger.errors import StorageError
from ledger.history import Entry
from ledger.keyring.identifiers import Identifier
from ledger.store import Store
from replay.detectors import Detector, mention_form

FILE: Final = "mentions.db"
VERSION: Final = b"1"
_BATCH: Final = 500

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE parts (
    part INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, touched INTEGER NOT NULL, rows INTEGER NOT NULL,
    unread INTEGER NOT NULL, restricted BLOB, scanned_at TEXT NOT NULL
);
CREATE TABLE scans (part INTEGER, detector TEXT, digest BLOB NOT NULL, PRIMARY KEY (part, detector));
CREATE TABLE mentions (part INTEGER, detector TEXT, mac BLOB NOT NULL, owner BLOB NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX mentions_by_mac ON mentions (mac);
CREATE INDEX mentions_by_owner ON mentions (owner);
CREATE INDEX mentions_by_part ON mentions (part, detector);
"""


GONE: Final = frozenset(("erased", "expired"))
"""States of content that there is nothing to find in any more."""


class Mention(msgspec.Struct, frozen=True):
    """Someone named inside the content of a record: the bytes from ``start`` to before ``end`` of that content.

    ``partition`` is a number in ``Catalog.partitions``, ``entry`` the index of its entry; ``owner`` owns the content.
    """

    record_id: str
    partition: int
    entry: int
    row: int
    owner: str
    start: int
    end: int
    detector: str
    type: str


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """A mention as it is sealed: the record, its row and owner, the bytes in its content, the identifier's type."""

    record: bytes
    row: int
    owner: str
    start: int
    end: int
    type: str


class FoundHere(NamedTuple):
    """A sealed mention opened: the content path of its partition, the detector, and the place."""

    path: str
    detector: str
    placed: Placed


class Reading(NamedTuple):
    """What one reading of a partition gave: rows, those that could not be read, and mentions by detector."""

    rows: int
    unread: int
    restricted: bool
    found: Mapping[str, Sequence[tuple[Identifier, Placed]]]


class State(msgspec.Struct, frozen=True):
    """What the index covers: partitions read by all detectors that are configured, of how many; what could not be read.

    ``missing`` are the entries of partitions that were not read, or not by all. ``unread`` counts records whose content
    is there and could not be opened. ``oldest`` is when the partition that was read first was read.
    """

    detectors: tuple[str, ...]
    partitions: int
    scanned: int
    missing: tuple[int, ...]
    unread: int
    oldest: str | None


class MentionIndex:
    """An open index, in step with the ledger as of when it was opened."""

    def __init__(self, store: Store, connection: sqlite3.Connection, *, told: bool) -> None:
        """``told``: the caller is about to say whom the last erasures have erased."""
        self._store = store
        self._keys = store.mention_keys()
        self._connection = connection
        self._prepare()
        self._follow(told=told)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    # -- following

    def _prepare(self) -> None:
        """Make the tables, anew where they are of another version or under other keys."""
        with self._connection:
            try:
                meta = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
            except sqlite3.OperationalError:
                meta = {}
            if (meta.get("version"), meta.get("mark")) == (VERSION, self._keys.mark):
                return
            for table in ("meta", "parts", "scans", "mentions"):
                self._connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            values = {"version": VERSION, "mark": self._keys.mark, "followed": str(self._store.endings.last).encode()}
            self._connection.executemany("INSERT INTO meta VALUES (?, ?)", values.items())

    def _follow(self, *, told: bool) -> None:
        """Drop what the ledger has ended or moved since."""
        endings = self._store.endings
        with self._connection:
            followed = int(self._connection.execute("SELECT value FROM meta WHERE name = 'followed'").fetchone()[0])
            if not told and any(entry.index > followed for entry in endings.subjects.values()):
                # Whose rows these are nothing here says: an erasure deletes their identifiers.
                for table in ("parts", "scans", "mentions"):
                    self._connection.execute(f"DELETE FROM {table}")
            for part, path, touched, restricted in self._connection.execute(
                "SELECT part, path, touched, restricted FROM parts"
            ).fetchall():
                if touched != self._touched(path) or restricted not in (None, self._restricted()):
                    self._drop(part)
            if not told:
                self._set_followed(endings.last)

    def _set_followed(self, index: int) -> None:
        self._connection.execute("UPDATE meta SET value = ? WHERE name = 'followed'", [str(index).encode()])

    def _touched(self, path: str) -> int:
        """The last entry that changed what is in a partition."""
        endings = self._store.endings
        return max(endings.touched.get(name, -1) for name in endings.objects_of(path))

    def _restricted(self) -> bytes:
        """Whose processing is restricted: another when that changes."""
        return hashlib.sha256("".join(sorted(self._store.standing.restricted)).encode()).digest()

    def _drop(self, part: int) -> None:
        for table in ("mentions", "scans", "parts"):
            self._connection.execute(f"DELETE FROM {table} WHERE part = ?", [part])

    # -- filling

    def wanting(self, entry: Entry, detectors: Sequence[Detector]) -> list[Detector]:
        """The detectors, as they are now, that have not read a partition."""
        path = entry.value["content"]["path"]
        rows = self._connection.execute(
            "SELECT detector, digest FROM scans JOIN parts USING (part) WHERE path = ?", [path]
        ).fetchall()
        done = dict(rows)
        return [detector for detector in detectors if done.get(detector.name) != detector.digest]

    def put(self, entry: Entry, detectors: Sequence[Detector], reading: Reading) -> None:
        """Replace what detectors have found in a partition."""
        path = entry.value["content"]["path"]
        restricted = self._restricted() if reading.restricted else None
        with self._connection:
            self._connection.execute(
                "INSERT INTO parts (path, touched, rows, unread, restricted, scanned_at) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (path) DO UPDATE SET rows = excluded.rows, unread = excluded.unread, "
                "restricted = excluded.restricted, scanned_at = excluded.scanned_at",
                [path, self._touched(path), reading.rows, reading.unread, restricted, utc_now()],
            )
            (part,) = self._connection.execute("SELECT part FROM parts WHERE path = ?", [path]).fetchone()
            for detector in detectors:
                self._connection.execute("DELETE FROM mentions WHERE part = ? AND detector = ?", [part, detector.name])
                rows = reading.found.get(detector.name, ())
                self._connection.executemany(
                    "INSERT INTO mentions VALUES (?, ?, ?, ?, ?)",
                    (self._row(part, detector.name, *item) for item in rows),
                )
                self._connection.execute(
                    "INSERT OR REPLACE INTO scans VALUES (?, ?, ?)", [part, detector.name, detector.digest]
                )

    def _row(self, part: int, detector: str, identifier: Identifier, placed: Placed) -> tuple[object, ...]:
        mac = self._keys.mac(mention_form(identifier))
        sealed = self._keys.seal(mac, msgspec.msgpack.encode(placed))
        return part, detector, mac, self._keys.owner_mac(placed.owner), sealed

    def forget_detectors(self, kept: Collection[str]) -> None:
        """Drop what detectors have found that are configured no longer."""
        with self._connection:
            for (name,) in self._connection.execute("SELECT DISTINCT detector FROM scans").fetchall():
                if name not in kept:
                    self._connection.execute("DELETE FROM mentions WHERE detector = ?", [name])
                    self._connection.execute("DELETE FROM scans WHERE detector = ?", [name])

    # -- asking

    def find(self, identifiers: Iterable[Identifier]) -> Iterator[FoundHere]:
        """Where identifiers were found."""
        yield from self._open(self.macs(identifiers))

    def macs(self, identifiers: Iterable[Identifier]) -> list[bytes]:
        """What the mentions of identifiers are found by."""
        return sorted({self._keys.mac(mention_form(identifier)) for identifier in identifiers})

    def _open(self, macs: Sequence[bytes]) -> Iterator[FoundHere]:
        for batch in _batches(macs):
            rows = self._connection.execute(
                "SELECT path, detector, mac, sealed FROM mentions JOIN parts USING (part) "
                f"WHERE mac IN ({', '.join('?' * len(batch))})",
                batch,
            ).fetchall()
            for path, detector, mac, sealed in rows:
                placed = msgspec.msgpack.decode(self._keys.open(mac, sealed), type=Placed)
                yield FoundHere(path, detector, placed)

    def state(self, partitions: Sequence[Entry], detectors: Sequence[Detector]) -> State:
        """What the index covers of the given partitions."""
        missing = tuple(entry.index for entry in partitions if self.wanting(entry, detectors))
        oldest, unread = self._connection.execute("SELECT min(scanned_at), sum(unread) FROM parts").fetchone()
        scanned = len(partitions) - len(missing)
        names = tuple(detector.name for detector in detectors)
        return State(names, len(partitions), scanned, missing, unread or 0, oldest)

    # -- forgetting

    def forget(self, macs: Sequence[bytes], owners: Iterable[str]) -> int:
        """Delete the mentions found by these, and all in the content of these owners; how many there were.

        To be called after the erasure's entry: the index then knows that it was told of all up to the last one.
        """
        owner_macs = sorted({self._keys.owner_mac(owner) for owner in owners})
        deleted = 0
        with self._connection:
            for column, values in (("mac", macs), ("owner", owner_macs)):
                for batch in _batches(values):
                    marks = ", ".join("?" * len(batch))
                    statement = f"DELETE FROM mentions WHERE {column} IN ({marks})"
                    deleted += self._connection.execute(statement, batch).rowcount
            self._set_followed(self._store.endings.last)
        return deleted


def _batches(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


@contextlib.contextmanager
def opened(store: Store, *, told: bool = False) -> Iterator[MentionIndex]:
    """The index, in step with the ledger. Raises StorageError if it cannot be used.

    ``told``: ``forget`` is about to say whom the last erasures have erased.
    """
    path = store.settings.cache / FILE
    try:
        index = _open(store, path, told=told)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(error) from None
    try:
        yield index
    except sqlite3.Error as error:
        raise _unusable(error) from None
    finally:
        index.close()


def _open(store: Store, path: Path, *, told: bool) -> MentionIndex:
    """The index; a file that is none, or a damaged one, is made again: it is a cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return MentionIndex(store, _connect(path), told=told)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        return MentionIndex(store, _connect(path), told=told)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=60)
    # Deleted rows are overwritten, and no other file keeps them: a crash costs the file, which is a cache.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


def _unusable(error: Exception) -> StorageError:
    return StorageError(
        f"the mention index cannot be used ({type(error).__name__})",
        hint="Check that the cache folder can be written; mentions.db in it can be deleted at any time.",
    )

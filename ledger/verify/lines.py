"""Every line of a partition to its leaf, the root, and the typed columns that must follow from the lines.

Rows are read in blocks that fit a processor's cache: this is half of verification's hot loop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ledger import merkle, records
from ledger.errors import EvidenceError, FormatError, UnverifiableError
from ledger.partition_reader import open_parquet, read_table
from ledger.record_line import RecordLine
from ledger.verify.checked import NAMED_ROWS, Checked, Entry, Problem, verdict_of


class Rows(NamedTuple):
    """What the check of the content needs of each row: its leaf, commitment, owner, and where its content is.

    ``portions``: the part (-1 for none) and commitment of each row that a portion of an input has here.
    """

    leaves: list[bytes]
    commitments: list[str]
    owners: list[str]
    location: tuple[list[int], list[int], list[int]]
    portions: dict[records.Portion, list[tuple[int, str]]]


def check_lines(entry: Entry, data: bytes, checked: Checked) -> Rows | None:
    """Check an events file. None if a line is none, so that its content cannot be judged. Raises EvidenceError."""
    if entry["schema"] != records.SCHEMA_SHA256:
        raise UnverifiableError("its entry names a schema that this program does not know")
    path = entry["events"]["path"]
    file = open_parquet(data, path)
    # Before anything is decoded: a small file can claim to hold more rows than memory does.
    if file.metadata.num_rows != entry["rows"]:
        raise FormatError(f"it has {file.metadata.num_rows} rows, its entry says {entry['rows']}")
    table = read_table(file, path)
    if not table.schema.equals(records.SCHEMA):
        raise FormatError("an events file with another schema than its entry states")
    checked.rows = len(table)
    check = _LinesCheck(path, entry["retention_class"], checked)
    for start in range(0, len(table), records.BLOCK):
        check.block(start, table.slice(start, records.BLOCK))
    check.finish(entry)
    # A missing number becomes one that points outside the segments.
    location = [table.column(name).fill_null(-1).to_numpy().tolist() for name in ("segment", "slot", "chunks")]
    places = (location[0], location[1], location[2])
    rows = Rows(check.leaves, check.commitments, check.owners, places, check.portions)
    return rows if len(rows.owners) == len(table) else None


class _LinesCheck:
    """Collects what the blocks give, and names what is wrong in them."""

    def __init__(self, path: str, retention_class: str, checked: Checked) -> None:
        self._path = path
        self._class = retention_class
        self._checked = checked
        self._summary = records.Summary()
        self.leaves: list[bytes] = []
        self.commitments: list[str] = []
        self.owners: list[str] = []
        self.portions: dict[records.Portion, list[tuple[int, str]]] = {}

    def block(self, start: int, table: pa.Table) -> None:
        """Check some rows; ``start`` is the number of the first."""
        lines: list[bytes] = table.column("line").to_pylist()
        self.leaves += merkle.leaf_hashes(lines)
        try:
            read = records.read_lines(lines)
        except EvidenceError:
            self._name_bad_lines(start, lines)
            return
        self._summary.add(read)
        self.commitments += [line.content.commitment for line in read]
        self.owners += [line.content.owner for line in read]
        for portion, pieces in records.portions(read).items():
            self.portions.setdefault(portion, []).extend(pieces)
        self._checked.accesses += [_access_number(line.source_id) for line in read if line.kind == "access"]
        if {line.retention_class for line in read} != {self._class}:
            self._checked.wrong(self._path, "a row has another retention class than the entry states")
        self._check_columns(start, table, read)

    def finish(self, entry: Entry) -> None:
        """Compare the whole with the entry."""
        if merkle.root(self.leaves).hex() != entry["root"]:
            self._checked.wrong(self._path, "the lines have another root than the entry states")
        if len(self.owners) < len(self.leaves):
            return
        for name, expected in self._summary.as_entry().items():
            if entry.get(name) != expected:
                self._checked.wrong(self._path, f"the rows have another {name} than the entry states")

    def _name_bad_lines(self, start: int, lines: Sequence[bytes]) -> None:
        for offset, line in enumerate(lines):
            try:
                records.read_line(line)
            except EvidenceError as error:
                record = self.leaves[start + offset].hex()
                problem = Problem(verdict_of(error), self._path, error.message, start + offset, record)
                self._checked.problems.append(problem)

    def _check_columns(self, start: int, table: pa.Table, read: Sequence[RecordLine]) -> None:
        """The typed columns must be the ones that follow from the lines."""
        try:
            columns = records.derive(read)
        except _OUT_OF_RANGE:
            self._checked.wrong(self._path, "typed columns cannot hold what a line states", start)
            return
        for name, derived in zip(_COLUMNS, columns, strict=True):
            stored = table.column(name).combine_chunks()
            if stored.equals(derived):
                continue
            pairs = zip(_plain(stored), _plain(derived), strict=True)
            for row in [number for number, (left, right) in enumerate(pairs) if left != right][:NAMED_ROWS]:
                record = self.leaves[start + row].hex()
                self._checked.wrong(self._path, f"column {name} differs from the line", start + row, record)


_COLUMNS: Final = [field.name for field in records.DERIVED]
_OUT_OF_RANGE: Final = (OverflowError, UnicodeEncodeError, pa.ArrowException)


def _plain(column: pa.Array) -> list[Any]:
    """Values to compare one by one; a time stays a number, since Python has no year 300,000."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def _access_number(source_id: str) -> tuple[str, int]:
    """Spool and number; -1 where an access record names none."""
    spool, _, number = source_id.partition("/")
    return spool, int(number) if _NUMBER.match(number) else -1


_NUMBER: Final = re.compile(r"[1-9][0-9]{0,15}\Z")

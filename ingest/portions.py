"""Cutting inputs into portions, and portions into jobs.

A source that the store knows is skipped, or continued where it stopped: bookmarks compare keyed digests of its bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from ingest.formats.base import Framing
from ingest.formats.detect import HEAD_SIZE, Detected, detect, force
from ingest.inputs import Source, opened
from ingest.job import Portion
from ledger.keyring.bookmarks import Bookmarks, Input

MAX_DOCUMENT: Final = 256 * 1024 * 1024
"""Bytes of the largest document that is parsed whole; a larger one is sealed as rejected blocks."""
_BLOCK: Final = 8 * 1024 * 1024


class Cut(NamedTuple):
    """A portion with the bookmark that it will leave: its end, and the MAC of all the input's bytes up to there."""

    portion: Portion
    from_byte: int
    to_byte: int
    prefix_mac: bytes


class Skipped(NamedTuple):
    """A source that the store has already, in whole."""

    source: Source
    input: str


class _Start(NamedTuple):
    """Where to go on with a source: its input, the next step, and the MAC of the bytes before it."""

    input: Input
    step: int
    at: int
    mac: hmac.HMAC
    reason: str


class Cutter:
    """Cuts sources into portions of at most ``seal_bytes`` bytes and ``seal_rows`` lines."""

    def __init__(self, bookmarks: Bookmarks, committed: Callable[[], set[str]], seal_bytes: int, seal_rows: int) -> None:
        self._bookmarks = bookmarks
        self._committed = committed
        self._seal_bytes = seal_bytes
        self._seal_rows = seal_rows

    def cut(self, source: Source, format_name: str | None) -> Iterator[Cut | Skipped]:
        """The portions of a source that the store does not have, or one Skipped."""
        with opened(source) as file:
            start = self._start(source, file, format_name)
            if isinstance(start, Skipped):
                yield start
                return
            file.seek(start.at)
            yield from self._cuts(start, file, source)

    def _start(self, source: Source, file: BinaryIO, format_name: str | None) -> _Start | Skipped:
        committed = self._committed()
        fresh: Input | None = None
        for known in self._bookmarks.inputs_at(source.uri):
            last = self._bookmarks.last_step(known.ref, committed)
            if last is None:
                fresh = fresh or known
                continue
            if last.to_byte > source.size:
                continue
            mac = self._mac_of(file, last.to_byte)
            if mac.digest() != last.prefix_mac:
                continue
            if last.to_byte == source.size:
                return Skipped(source, known.ref)
            if known.framing != Framing.DOCUMENT:
                return _Start(known, last.step + 1, last.to_byte, mac, "unknown_format")
        if source.size in self._bookmarks.lengths():
            same = self._bookmarks.find_mac(self._mac_of(file, source.size).digest(), source.size, committed)
            if same is not None:
                return Skipped(source, same.input)
        return self._new(source, file, format_name, fresh)

    def _new(self, source: Source, file: BinaryIO, format_name: str | None, fresh: Input | None) -> _Start:
        """A new input, or one at the same place that an interrupted or concurrent run has begun."""
        file.seek(0)
        head = file.read(HEAD_SIZE)
        complete = len(head) == source.size
        found = force(format_name, head, complete) if format_name else detect(head, complete)
        adapter, framing, reason = _understood(found, source)
        if fresh is None or (fresh.adapter, fresh.framing) != (adapter, framing):
            ref = self._bookmarks.add_input(source.uri, adapter, framing)
            fresh = Input(ref, adapter, framing, source.uri)
        return _Start(fresh, 0, 0, self._bookmarks.new_mac(), reason)

    def _mac_of(self, file: BinaryIO, length: int) -> hmac.HMAC:
        mac = self._bookmarks.new_mac()
        file.seek(0)
        while length > 0 and (block := file.read(min(_BLOCK, length))):
            mac.update(block)
            length -= len(block)
        return mac

    def _cuts(self, start: _Start, file: BinaryIO, source: Source) -> Iterator[Cut]:
        known, step, at, mac = start.input, start.step, start.at, start.mac
        whole = known.framing == Framing.DOCUMENT
        rest = b""
        ended = False
        while not ended:
            block = rest + file.read(source.size - at if whole else self._seal_bytes)
            ended = whole or at + len(block) >= source.size or len(block) == len(rest)
            length, understood = (len(block), True) if whole or ended else self._boundary(block, known.framing)
            if ended and not whole:
                length, understood = self._boundary(block, known.framing, last=True)
                ended = length == len(block)
            data, rest = block[:length], block[length:]
            mac.update(data)
            adapter = known.adapter if understood else ""
            reason = start.reason if understood else "line_too_long"
            portion = Portion(known.ref, step, known.ref, adapter, known.framing, reason, data)
            yield Cut(portion, at, at + length, mac.copy().digest())
            at, step = at + length, step + 1

    def _boundary(self, block: bytes, framing: str, *, last: bool = False) -> tuple[int, bool]:
        """How many bytes of a block make a portion, and whether they can be understood as lines."""
        if framing != Framing.LINES:
            return len(block), True
        if block.count(b"\n") > self._seal_rows:
            newlines = np.flatnonzero(np.frombuffer(block, np.uint8) == 10)
            return int(newlines[self._seal_rows - 1]) + 1, True
        if last:
            return len(block), True
        end = block.rfind(b"\n") + 1
        return (end, True) if end else (len(block), False)


def _understood(found: Detected, source: Source) -> tuple[str, str, str]:
    """Adapter name, framing and reason: bytes that no format knows, or that are too large, have no adapter."""
    if found.format is None or found.framing is None:
        return "", "blocks", found.reason or "unknown_format"
    if found.framing is Framing.DOCUMENT and source.size > MAX_DOCUMENT:
        return "", "blocks", "document_too_large"
    return found.format.name, str(found.framing), found.reason


def jobs(cuts: Iterable[Cut], seal_bytes: int, seal_rows: int) -> Iterator[list[Cut]]:
    """Portions gathered until they fill a partition by bytes or lines."""
    batch: list[Cut] = []
    size = lines = 0
    for cut in cuts:
        grown, added = len(cut.portion.data), cut.portion.data.count(b"\n")
        if batch and (size + grown > seal_bytes or lines + added > seal_rows):
            yield batch
            batch, size, lines = [], 0, 0
        batch.append(cut)
        size, lines = size + grown, lines + added
    if batch:
        yield batch

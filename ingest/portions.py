"""Cutting inputs into portions, and portions into jobs.

A source that the store knows is skipped, or continued where it stopped: bookmarks compare keyed digests of its bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from ingest.formats.base import Framing
from ingest.formats.detect import HEAD_SIZE, detect, force
from ingest.inputs import Source, opened
from ingest.job import Portion
from ledger.keyring.bookmarks import Bookmarks, Input

MAX_DOCUMENT: Final = 256 * 1024 * 1024
"""Bytes of the largest document that is parsed whole; a larger one is sealed as rejected blocks."""
BLOCKS: Final = "blocks"
"""The framing of what has no adapter."""

_BLOCK: Final = 8 * 1024 * 1024
_FULL: Final = 7 / 8
"""The share of ``seal_bytes`` from which on a job is full: a portion ends where a line does, rarely at all of it."""


class Cut(NamedTuple):
    """A portion with the bookmark that it will leave: its end, and the MAC of all the input's bytes up to there."""

    portion: Portion
    from_byte: int
    to_byte: int
    prefix_mac: bytes


class Skipped(NamedTuple):
    """A source that the store has already, in whole. ``understood`` is false where it has its bytes and no records."""

    source: Source
    input: str
    understood: bool


class _Start(NamedTuple):
    """Where to go on with a source: its input, the next step, and the MAC of the bytes before it."""

    input: Input
    step: int
    at: int
    mac: hmac.HMAC
    reason: str


class _Understood(NamedTuple):
    """What a source is: adapter name, framing, and the reason where there is no adapter."""

    adapter: str
    framing: str
    reason: str


class Cutter:
    """Cuts sources into portions of at most ``seal_bytes`` bytes and ``seal_rows`` lines."""

    def __init__(
        self, bookmarks: Bookmarks, committed: Callable[[], set[str]], seal_bytes: int, seal_rows: int
    ) -> None:
        self._bookmarks = bookmarks
        self._committed = committed
        self._seal_bytes = seal_bytes
        self._seal_rows = seal_rows
        self._lengths = bookmarks.lengths()
        self._cut: dict[tuple[int, bytes], str] = {}
        """What this run has cut already, by size and MAC: committed or not, the same bytes are not cut again."""

    def cut(self, source: Source, format_name: str | None) -> Iterator[Cut | Skipped]:
        """The portions of a source that the store does not have, or one Skipped."""
        with opened(source) as file:
            start = self._start(source, file, format_name)
            if isinstance(start, Skipped):
                yield start
                return
            if self._differs(start, file, source):
                start = self._anew(source, _understand(source, file, format_name))
            file.seek(start.at)
            for cut in self._cuts(start, file, source):
                self._cut[(cut.to_byte, cut.prefix_mac)] = cut.portion.input
                yield cut

    def _differs(self, start: _Start, file: BinaryIO, source: Source) -> bool:
        """Whether the portion to go on with was half committed from other bytes, or cut by other settings."""
        begun = self._bookmarks.begun_step(start.input.ref, start.step, self._committed())
        if begun is None:
            return False
        file.seek(start.at)
        first = next(self._cuts(start._replace(mac=start.mac.copy()), file, source))
        return (first.to_byte, first.prefix_mac) != (begun.to_byte, begun.prefix_mac)

    def _anew(self, source: Source, understood: _Understood) -> _Start:
        """A new input at a place where others are known, none of which it continues."""
        seen = [known.ref for known in self._bookmarks.inputs_at(source.uri)]
        ref = self._bookmarks.add_input(source.uri, understood.adapter, understood.framing, seen)
        known = Input(ref, understood.adapter, understood.framing, source.uri)
        return _Start(known, 0, 0, self._bookmarks.new_mac(), understood.reason)

    def _start(self, source: Source, file: BinaryIO, format_name: str | None) -> _Start | Skipped:
        committed = self._committed()
        understood: _Understood | None = None
        fresh: Input | None = None
        inputs = self._bookmarks.inputs_at(source.uri)
        for known in inputs:
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
                return Skipped(source, known.ref, bool(known.adapter))
            understood = understood or _understand(source, file, format_name)
            if _continues(known, understood) and _at_line_end(file, last.to_byte, known.framing):
                return _Start(known, last.step + 1, last.to_byte, mac, understood.reason)
        same = self._same_bytes(source, file, committed)
        if same is not None:
            original = self._bookmarks.input(same)
            return Skipped(source, same, original is None or bool(original.adapter))
        understood = understood or _understand(source, file, format_name)
        if fresh is None or not _continues(fresh, understood):
            return self._anew(source, understood)
        return _Start(fresh, 0, 0, self._bookmarks.new_mac(), understood.reason)

    def _same_bytes(self, source: Source, file: BinaryIO, committed: set[str]) -> str | None:
        """The input that has these bytes under another name. Digests are compared where a length makes it possible."""
        if source.size not in self._lengths and not any(size == source.size for size, _ in self._cut):
            return None
        digest = self._mac_of(file, source.size).digest()
        same = self._bookmarks.find_mac(digest, source.size, committed)
        return self._cut.get((source.size, digest)) if same is None else same.input

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
            read = file.read(source.size - at if whole else self._seal_bytes)
            block = rest + read if rest else read
            # A portion is large: what is not needed goes before the next copy is made.
            del read
            ended = whole or at + len(block) >= source.size or len(block) == len(rest)
            length, understood = (len(block), True) if whole or ended else self._boundary(block, known.framing)
            if ended and not whole:
                length, understood = self._boundary(block, known.framing, last=True)
                ended = length == len(block)
            rest = block[length:]
            block = block[:length]
            mac.update(block)
            adapter = known.adapter if understood else ""
            reason = start.reason if understood else "line_too_long"
            cut = Cut(
                Portion(known.ref, step, known.ref, adapter, known.framing, reason, block),
                at,
                at + length,
                mac.copy().digest(),
            )
            del block
            yield cut
            del cut
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


def _understand(source: Source, file: BinaryIO, format_name: str | None) -> _Understood:
    """Bytes that no format knows, or that are too large for the one that does, have no adapter."""
    file.seek(0)
    head = file.read(HEAD_SIZE)
    complete = len(head) == source.size
    found = force(format_name, head, complete) if format_name else detect(head, complete)
    if found.format is None or found.framing is None:
        return _Understood("", BLOCKS, found.reason or "unknown_format")
    if found.framing is Framing.DOCUMENT and source.size > MAX_DOCUMENT:
        return _Understood("", BLOCKS, "document_too_large")
    return _Understood(found.format.name, str(found.framing), found.reason)


def _continues(known: Input, understood: _Understood) -> bool:
    """Whether an input is still understood as what it began."""
    return (known.adapter, known.framing) == (understood.adapter, understood.framing)


def _at_line_end(file: BinaryIO, at: int, framing: str) -> bool:
    """Whether what follows byte ``at`` can be understood alone.

    A last line was whole and had no end yet if what follows is that end. A file whose last line was being written
    when it was taken in is taken in anew: its whole lines are known.
    """
    if framing != Framing.LINES or at == 0:
        return framing != Framing.DOCUMENT
    file.seek(at - 1)
    last, following = file.read(1), file.read(2)
    return last == b"\n" or following.startswith((b"\n", b"\r\n"))


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
        # Without a look at what comes next, which would be held in memory meanwhile.
        if size >= seal_bytes * _FULL:
            yield batch
            batch, size, lines = [], 0, 0
    if batch:
        yield batch

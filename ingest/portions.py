"""Cutting inputs into portions, and portions into jobs.

A source that the store knows is skipped, or continued where it stopped: keyed digests of its bytes are compared, and
where those are gone with content that was erased, what is left of it (ingest.fence).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from ingest.fence import Fence, Match
from ingest.formats.base import Framing
from ingest.formats.detect import HEAD_SIZE, detect, force
from ingest.inputs import Source, opened
from ingest.job import Portion
from ledger.keyring.bookmarks import Bookmarks, Input, Step

MAX_DOCUMENT: Final = 256 * 1024 * 1024
"""Bytes of the largest document that is parsed whole; a larger one is sealed as rejected blocks."""
BLOCKS: Final = "blocks"
"""The framing of what has no adapter."""

_FULL: Final = 7 / 8
"""The share of ``seal_bytes`` from which on a job is full: a portion ends where a line does, rarely at all of it."""


class Cut(NamedTuple):
    """A portion with the bookmark that it will leave: where it stands in the input, and the MAC of its bytes."""

    portion: Portion
    from_byte: int
    to_byte: int
    mac: bytes


class Skipped(NamedTuple):
    """A source that the store has already, in whole. ``understood`` is false where it has its bytes and no records.

    ``ended``: content of it was erased or expired, so it was recognised by the rest.
    """

    source: Source
    input: str
    understood: bool
    ended: bool = False


class _Start(NamedTuple):
    """Where to go on with a source: its input, and the portions of it that the store has."""

    input: Input
    done: list[Step]
    reason: str

    @property
    def step(self) -> int:
        """The number of the next portion."""
        return len(self.done)

    @property
    def at(self) -> int:
        """The byte at which it begins."""
        return self.done[-1].to_byte if self.done else 0


class _Understood(NamedTuple):
    """What a source is: adapter name, framing, and the reason where there is no adapter."""

    adapter: str
    framing: str
    reason: str


class Cutter:
    """Cuts sources into portions of at most ``seal_bytes`` bytes and ``seal_rows`` lines."""

    def __init__(
        self, bookmarks: Bookmarks, fence: Fence, committed: Callable[[], set[str]], seal_bytes: int, seal_rows: int
    ) -> None:
        self._bookmarks = bookmarks
        self._fence = fence
        self._committed = committed
        self._seal_bytes = seal_bytes
        self._seal_rows = seal_rows
        self._lengths = bookmarks.lengths()
        self._cut: dict[str, _Start] = {}
        """The inputs that this run has cut some of, with what it cut, committed or not. None is from two sources."""
        self._portions: dict[tuple[int, int, bytes], str] = {}
        """Which input has a portion that begins and ends at a byte and has a MAC: one that this run has cut."""
        self._starts: dict[int, set[int]] = {}
        """Where those portions begin that end at a byte."""
        self._ended: list[tuple[Input, list[Step]]] | None = None
        """The inputs of which content was ended, once they were asked for."""

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
            known = self._cut.setdefault(start.input.ref, start._replace(done=list(start.done)))
            for cut in self._cuts(start, file, source):
                known.done.append(Step(known.input.ref, "", "", cut.from_byte, cut.to_byte, cut.portion.step, cut.mac))
                self._portions.setdefault((cut.from_byte, cut.to_byte, cut.mac), known.input.ref)
                self._starts.setdefault(cut.to_byte, set()).add(cut.from_byte)
                yield cut

    def _differs(self, start: _Start, file: BinaryIO, source: Source) -> bool:
        """Whether the portion to go on with was half committed from other bytes, or cut by other settings."""
        begun = self._bookmarks.begun_step(start.input.ref, start.step, self._committed())
        if begun is None:
            return False
        file.seek(start.at)
        first = next(self._cuts(start, file, source))
        return (first.to_byte, first.mac) != (begun.to_byte, begun.mac)

    def _anew(self, source: Source, understood: _Understood) -> _Start:
        """A new input at a place where others are known, none of which it continues."""
        seen = [known.ref for known in self._bookmarks.inputs_at(source.uri)]
        ref = self._bookmarks.add_input(source.uri, understood.adapter, understood.framing, seen)
        known = Input(ref, understood.adapter, understood.framing, source.uri)
        return _Start(known, [], understood.reason)

    def _start(self, source: Source, file: BinaryIO, format_name: str | None) -> _Start | Skipped:
        committed = self._committed()
        understood: _Understood | None = None
        fresh: Input | None = None
        for known in self._bookmarks.inputs_at(source.uri):
            steps = self._bookmarks.steps(known.ref, committed)
            if not steps:
                fresh = fresh or known
                continue
            last = steps[-1]
            if last.to_byte > source.size:
                continue
            whole = last.to_byte == source.size
            match = self._fence.begins(file, known, steps, same_size_here=whole)
            if match is None:
                continue
            if whole:
                return Skipped(source, known.ref, bool(known.adapter), match.ended)
            understood = understood or _understand(source, file, format_name)
            if match.ended or (_continues(known, understood) and _at_line_end(file, last.to_byte, known.framing)):
                return _Start(known, steps, understood.reason)
        same = self._same_bytes(source, file, committed)
        if same is not None:
            return same
        understood = understood or _understand(source, file, format_name)
        found = self._forgotten(source, file, understood)
        if found is not None:
            return found
        if fresh is None or not _continues(fresh, understood):
            return self._anew(source, understood)
        return _Start(fresh, [], understood.reason)

    def _forgotten(self, source: Source, file: BinaryIO, understood: _Understood) -> _Start | Skipped | None:
        """What a source is, of the inputs that no digest finds any more: one of them, or one that has grown."""
        if self._ended is None:
            self._ended = [
                (known, steps)
                for known in self._bookmarks.forgotten()
                if (steps := self._bookmarks.steps(known.ref, self._committed()))
            ]
        alias: str | None = None
        for known, steps in self._ended:
            last = steps[-1]
            until = next((step for step in steps if step.to_byte == source.size), None)
            grown = (
                source.size > last.to_byte
                and _continues(known, understood)
                and _at_line_end(file, last.to_byte, known.framing)
            )
            if known.ref in self._cut or (until is None and not grown):
                continue
            alias = alias or self._bookmarks.alias(source.uri)
            here = source.uri == known.uri or alias == known.ref
            begun = steps if until is None else steps[: until.step + 1]
            match = self._fence.begins(file, known, begun, same_size_here=here and until is not None)
            if match is None:
                continue
            if until is not None:
                return Skipped(source, known.ref, bool(known.adapter), match.ended)
            return _Start(known, steps, understood.reason)
        return None

    def _same_bytes(self, source: Source, file: BinaryIO, committed: set[str]) -> Skipped | None:
        """The input that has these bytes under another name. Digests are compared where a length makes it possible."""
        here = self._starts.get(source.size, set())
        there = self._bookmarks.starts(source.size) if source.size in self._lengths else ()
        for start in sorted(here.union(there)):
            mac = self._fence.mac_of(file, start, source.size)
            cut = self._cut.get(self._portions.get((start, source.size, mac), ""))
            if cut is not None and self._is(source, file, cut.input, cut.done):
                return Skipped(source, cut.input.ref, bool(cut.input.adapter))
            for portion in self._bookmarks.find(mac, start, source.size):
                steps = self._bookmarks.steps(portion.input, committed)
                original = self._bookmarks.input(portion.input)
                if original is not None and (match := self._is(source, file, original, steps)):
                    return Skipped(source, portion.input, bool(original.adapter), match.ended)
        return None

    def _is(self, source: Source, file: BinaryIO, known: Input, steps: Sequence[Step]) -> Match | None:
        """Whether a source is the beginning of an input up to the end of one of these steps."""
        last = next((number for number, step in enumerate(steps) if step.to_byte == source.size), None)
        return None if last is None else self._fence.begins(file, known, steps[: last + 1], same_size_here=False)

    def _cuts(self, start: _Start, file: BinaryIO, source: Source) -> Iterator[Cut]:
        known, step, at = start.input, start.step, start.at
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
            mac = self._bookmarks.new_mac()
            mac.update(block)
            adapter = known.adapter if understood else ""
            reason = start.reason if understood else "line_too_long"
            cut = Cut(
                Portion(known.ref, step, known.ref, adapter, known.framing, reason, block),
                at,
                at + length,
                mac.digest(),
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

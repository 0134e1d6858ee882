"""Write a seeded workload of n lines of NDJSON, for `make bench`.

Usage: python tests/bench/workload.py SHAPE N OUT [--seed S] [--malformed SHARE] [--shared FOLDER]

SHAPE is `single` (event/1, one message a line) or `history` (LiteLLM payloads with the whole conversation each
time). Some 40 sessions are open at once and their lines interleave; gaps between lines and token counts are drawn
from a real arrival trace; users follow Zipf's law. 2 % of the model calls fail and are tried again, 1 % of the
lines come late, 0.1 % come twice, 0.5 % are damaged, and about every 20,000 model calls the model changes: as a
change event among the lines (`single`), or in OUT.changes.jsonl beside them (`history`: a gateway logs no changes).
The same shape, n, seed and corpus give the same bytes. Memory does not grow with n, apart from the sample of
message digests from which the share of distinct content is estimated.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import random
import sys
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeVar

if __name__ == "__main__":  # run as a script, Python looks for modules in this folder only
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sample_data.workload.conversations import SHARED, Arrival, Corpus, load
from sample_data.workload.shapes import ERRORS, SHAPES, Clock, Moment, Session, Single
from sample_data.workload.substitution import person, values

OPEN_SESSIONS = 40
USERS = 20_000
ZIPF = 1.1
FAILED, LATE, TWICE, MALFORMED = 0.02, 0.01, 0.001, 0.005
INFERENCES_A_CHANGE = 20_000
_BEGIN = int(datetime(2026, 1, 5, 7, 0, tzinfo=UTC).timestamp()) * 1_000_000
_LATE_BY = 4_000
_EXACT_UP_TO = 200_000
_SAMPLED = 16
_BUFFER = 1 << 20

T = TypeVar("T")


class Summary(NamedTuple):
    """What was written: lines, bytes, and the share of message bytes that had not been in an earlier line."""

    lines: int
    size: int
    distinct_share: float
    changes: int
    origin: str


class Distinct:
    """Bytes of all messages, and of distinct ones: counted exactly, or on one message digest in sixteen."""

    def __init__(self, every: int) -> None:
        self._every, self._seen = every, set[tuple[int, int]]()
        self.total = self._first = 0

    def add(self, messages: list[bytes], size: int) -> None:
        """Count a line's ``size`` bytes of messages, of which only ``messages`` can be new."""
        self.total += size
        for message in messages:
            digest = zlib.crc32(message)
            if digest % self._every == 0 and (digest, len(message)) not in self._seen:
                self._seen.add((digest, len(message)))
                self._first += len(message)

    @property
    def share(self) -> float:
        """Distinct bytes / all bytes."""
        return self._first * self._every / self.total if self.total else 0.0


class Workload:
    """A source of lines. ``lines`` may be taken once."""

    def __init__(self, shape: str, count: int, seed: int, corpus: Corpus, malformed: float = MALFORMED) -> None:
        self.shape = SHAPES[shape]()
        self.count, self.malformed, self.corpus = count, malformed, corpus
        self.random = random.Random(f"{shape}/{seed}")
        prepared = (self.shape.prepare(talk) for talk in corpus.conversations)
        self.templates = [template for template in prepared if template.steps]
        self.zipf = list(accumulate(1 / rank**ZIPF for rank in range(1, USERS + 1)))
        self.distinct = Distinct(1 if count <= _EXACT_UP_TO else _SAMPLED)
        self.changes: list[bytes] = []
        self._clock = Clock("T", b"Z")
        self._waiting: list[tuple[int, int, bytes]] = []
        self._written = self._inferences = 0

    def lines(self) -> Iterator[bytes]:
        """Exactly ``count`` lines, each with its newline."""
        opened = [self._open() for _ in range(OPEN_SESSIONS)]
        at = _BEGIN
        while self._written + len(self._waiting) < self.count:
            arrival = self._pick(self.corpus.arrivals)
            at += arrival.gap
            slot = int(self.random.random() * OPEN_SESSIONS)
            if opened[slot].finished:
                opened[slot] = self._open()
            if self._inferences >= (len(self.changes) + 1) * INFERENCES_A_CHANGE:
                self.changes.append(self._change(at))
                if isinstance(self.shape, Single):
                    yield from self._send(self.changes[-1])
                    continue
            yield from self._send(self._play(opened[slot], at, arrival))
        for _, _, line in sorted(self._waiting)[: self.count - self._written]:
            yield line

    def _pick(self, among: Sequence[T]) -> T:
        return among[int(self.random.random() * len(among))]

    def _open(self) -> Session:
        template = self._pick(self.templates)
        user = person(bisect.bisect_left(self.zipf, self.random.random() * self.zipf[-1]))
        return Session(template, values(template.listed, user, self.random), user, self.random)

    def _play(self, session: Session, at: int, arrival: Arrival) -> bytes:
        inference = session.template.steps[session.position].kind == "inference"
        failed = inference and self.random.random() < FAILED
        error = self._pick(ERRORS) if failed else b""
        line, messages, size = self.shape.line(session, Moment(at, arrival, self._version(), error), self.random)
        self.distinct.add(messages, size)
        self._inferences += inference
        session.position += not failed
        return line

    def _send(self, line: bytes) -> Iterator[bytes]:
        """Deliver a line now, late, twice or damaged, and before it what is due by now."""
        while self._waiting and self._waiting[0][0] <= self._written:
            self._written += 1
            yield heapq.heappop(self._waiting)[2]
        chance = self.random.random()
        if chance < LATE + TWICE:
            self._later(line)
        elif chance < LATE + TWICE + self.malformed:
            line = self._damaged(line)
        if chance >= LATE:
            self._written += 1
            yield line

    def _later(self, line: bytes) -> None:
        due = self._written + 1 + int(self.random.random() * _LATE_BY)
        heapq.heappush(self._waiting, (due, self.random.getrandbits(32), line))

    def _damaged(self, line: bytes) -> bytes:
        """A line cut short, a line of binary, or a line of plain text: whatever was in it is lost."""
        chance = self.random.random()
        if chance < 0.6:
            return line[: 1 + int(self.random.random() * (len(line) - 2))] + b"\n"
        if chance < 0.8:
            return self.random.randbytes(200).replace(b"\n", b"\x00") + b"\n"
        return b"WARN  log queue full, 1 event dropped\n"

    def _version(self) -> bytes:
        return b"1.%d.0" % len(self.changes)

    def _change(self, at: int) -> bytes:
        number = len(self.changes)
        return (
            b'{"evidence":"event/1","kind":"change","source":"release","id":"rollout-%d","time":"%s",'
            b'"system":"assistant","environment":"production",'
            b'"change":{"type":"model","name":"assistant-7b","from":"1.%d.0","to":"1.%d.0"}}\n'
        ) % (number + 1, self._clock.text(at), number, number + 1)


def write(workload: Workload, out: Path) -> Summary:
    """Write a workload to a file (and its changes beside it, where they are not among the lines)."""
    size = lines = 0
    with out.open("wb", buffering=_BUFFER) as file:
        for line in workload.lines():
            size += file.write(line)
            lines += 1
    if not isinstance(workload.shape, Single):
        out.with_name(f"{out.name}.changes.jsonl").write_bytes(b"".join(workload.changes))
    return Summary(lines, size, workload.distinct.share, len(workload.changes), workload.corpus.origin)


def main() -> None:
    """Read the command line, write the workload, print what it is like."""
    parser = argparse.ArgumentParser(description="Write a seeded NDJSON workload.")
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("count", type=int, metavar="N")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--malformed", type=float, default=MALFORMED, help="share of damaged lines (default 0.005)")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the shared data")
    given = parser.parse_args()
    workload = Workload(given.shape, given.count, given.seed, load(given.shared), given.malformed)
    summary = write(workload, given.out)
    print(f"corpus:            {summary.origin}")
    print(f"lines:             {summary.lines:,} in {summary.size:,} bytes, {summary.changes} model changes")
    print(f"mean line:         {summary.size / max(1, summary.lines):,.0f} bytes")
    print(f"distinct content:  {summary.distinct_share:.1%} of the bytes of messages")


if __name__ == "__main__":
    main()

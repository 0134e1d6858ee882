"""Every class of object, damaged in every way: verify says so, with the right verdict, and names the object.

What each level catches (whoever changes bytes holds no key, unless it says so):

| object            | flip, cut, swap | deletion | an older version        | fast | deep                        |
|-------------------|-----------------|----------|-------------------------|------|-----------------------------|
| commit            | 1               | 5        | 1                       | yes  | yes                         |
| checkpoint        | 1               | 5        | 0 with a note; 5 by pin | yes  | yes                         |
| kept checkpoint   | 1               | 5: newest; older ones nothing depends on | yes  | yes  |
| tile, bundle      | 1               | 5: of the published size; outgrown partial ones may be collected | yes | yes |
| blob              | 1               | 5        | 1                       | yes  | yes                         |
| events, content   | 1               | 5        | 1                       | yes  | yes, and the row (see test_rows) |
| evidence.json     | note            | note     | note                    | yes  | yes                         |
| extra object      | 1 where only the ledger's own objects may stand, else a note | | | yes | yes |

What a holder of the writer's key commits wrongly, only deep catches: test_dishonest_writer.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from ledger.verify import Report, Verdict

if TYPE_CHECKING:
    from tests.verify.conftest import Victim

CLASSES = ["commit", "checkpoint", "kept checkpoint", "tile", "bundle", "blob", "events", "content"]
FLIPS = 40
CUTS = 6


def assert_named(report: Report, verdict: Verdict, path: str) -> None:
    assert report.verdict is verdict, (path, report.findings)
    assert path in {finding.path for finding in report.findings if finding.verdict is verdict}, report.findings


def flipped(data: bytes, chance: random.Random) -> bytes:
    """One bit is another."""
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_an_undamaged_store_raises_no_alarm(victim: Victim) -> None:
    for level in ("fast", "deep"):
        report = victim.verify(level)
        assert report.verdict is Verdict.INTACT
        assert {finding.verdict for finding in report.findings} == {Verdict.UNPINNED}
        assert report.notes == ([] if level == "deep" else [report.notes[0]])
    assert report.covered["contents opened"] == report.covered["records"] > 20
    assert all(victim.paths(kind) for kind in CLASSES), "the store has an object of every class"


@pytest.mark.parametrize("kind", CLASSES)
def test_a_flipped_bit_is_found(victim: Victim, seeded: random.Random, kind: str) -> None:
    paths = victim.paths(kind)
    for number in range(FLIPS):
        path = paths[number % len(paths)]
        with victim.changed(path, flipped(victim.read(path), seeded)):
            assert_named(victim.verify(), Verdict.TAMPERED, path)
            if number < len(paths):
                assert_named(victim.verify("fast"), Verdict.TAMPERED, path)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_cut_object_is_found(victim: Victim, seeded: random.Random, kind: str) -> None:
    for number in range(CUTS):
        path = victim.paths(kind)[number % len(victim.paths(kind))]
        data = victim.read(path)
        length = 0 if number == 0 else len(data) - 1 if number == 1 else seeded.randrange(1, len(data))
        with victim.changed(path, data[:length]):
            assert_named(victim.verify(), Verdict.TAMPERED, path)
            assert_named(victim.verify("fast"), Verdict.TAMPERED, path)


@pytest.mark.parametrize("kind", CLASSES)
def test_bytes_added_at_the_end_are_found(victim: Victim, kind: str) -> None:
    path = victim.paths(kind)[-1]
    with victim.changed(path, victim.read(path) + b"\n"):
        assert_named(victim.verify(), Verdict.TAMPERED, path)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_deleted_object_is_found(victim: Victim, kind: str) -> None:
    """Of tiles and kept checkpoints only those of the published size are needed; the name of others is their size."""
    paths = victim.paths(kind)
    if kind in {"kept checkpoint", "tile", "bundle"}:
        paths = [max(paths, key=lambda path: int(path.rpartition("/")[2]))]
    for path in paths:
        with victim.changed(path, None):
            for level in ("fast", "deep"):
                assert_named(victim.verify(level), Verdict.LOST, path)


@pytest.mark.parametrize("kind", ["kept checkpoint", "tile", "bundle"])
def test_what_the_log_has_outgrown_may_be_collected(victim: Victim, kind: str) -> None:
    path = min(victim.paths(kind), key=lambda path: int(path.rpartition("/")[2]))
    with victim.changed(path, None):
        assert victim.verify().verdict is Verdict.INTACT


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in {"checkpoint", "blob"}])
def test_swapped_objects_are_found(victim: Victim, kind: str) -> None:
    paths = victim.paths(kind)
    for first, second in itertools.pairwise(paths):
        with victim.changed(first, victim.read(second)):
            assert_named(victim.verify(), Verdict.TAMPERED, first)
        data = victim.read(first)
        with victim.changed(first, victim.read(second)), victim.changed(second, data):
            report = victim.verify()
            assert_named(report, Verdict.TAMPERED, first)
            if kind != "commit":  # what follows a bad commit cannot be checked
                assert_named(report, Verdict.TAMPERED, second)


def test_an_object_in_another_ones_place_is_found(victim: Victim) -> None:
    for kind in CLASSES:
        other = victim.read(victim.paths("events" if kind != "events" else "content")[0])
        path = victim.paths(kind)[0]
        with victim.changed(path, other):
            assert_named(victim.verify(), Verdict.TAMPERED, path)


def test_an_older_checkpoint_is_a_rollback_that_a_pin_shows(victim: Victim) -> None:
    """Without a pin it is only a store whose last commits are not published yet, and that is what the note says."""
    report, pin = victim.installation.verify_and_pin("fast")
    assert pin is not None
    older = min(victim.paths("kept checkpoint"), key=lambda path: int(path.rpartition("/")[2]))
    with victim.changed("ledger/checkpoint", victim.read(older)):
        report = victim.verify()
        assert report.verdict is Verdict.INTACT
        assert any("not published yet" in note for note in report.notes)
        assert_named(victim.verify(pin=pin), Verdict.LOST, "ledger/checkpoint")
        assert any("rolled back" in finding.reason for finding in victim.verify(pin=pin).findings)


EXTRA = {
    "ledger/commit/000/000/999": Verdict.LOST,  # the commits before it are not there
    "ledger/commit/notes.txt": Verdict.TAMPERED,
    "ledger/checkpoints/7": Verdict.TAMPERED,
    "ledger/checkpoints/latest": Verdict.TAMPERED,
    "ledger/checkpoints/\u00e4": Verdict.TAMPERED,
    "ledger/tile/0/005": Verdict.TAMPERED,
    "ledger/tile/entries/000.p/2": Verdict.TAMPERED,
    "ledger/tile/\u00e4": Verdict.TAMPERED,
    f"events/date=2026-10-01/{'0' * 32}.parquet": Verdict.INTACT,
    f"content/date=2026-10-01/{'0' * 32}.parquet": Verdict.INTACT,
    f"ledger/blob/{'0' * 64}": Verdict.INTACT,
    "readme.txt": Verdict.INTACT,
}


@pytest.mark.parametrize("path", EXTRA)
def test_an_extra_object_is_told(victim: Victim, path: str) -> None:
    """Bytes that no commit lists are never read: they are named in a note, and are no damage."""
    with victim.changed(path, b"something else"):
        for level in ("fast", "deep"):
            report = victim.verify(level)
            assert report.verdict is EXTRA[path]
            if report.verdict is Verdict.TAMPERED:
                assert_named(report, Verdict.TAMPERED, path)
            if report.verdict is Verdict.INTACT:
                assert any(path in note for note in report.notes)


def test_a_gap_in_the_commits_names_every_missing_one(victim: Victim) -> None:
    first, second = victim.paths("commit")[:2]
    with victim.changed(first, None), victim.changed(second, None):
        report = victim.verify()
        assert_named(report, Verdict.LOST, first)
        assert_named(report, Verdict.LOST, second)


def test_what_follows_a_bad_commit_is_called_unchecked_and_not_bad(victim: Victim) -> None:
    commit = victim.paths("commit")[2]
    with victim.changed(commit, victim.read(commit)[:-9]):
        report = victim.verify()
        assert {finding.path for finding in report.findings if finding.verdict is Verdict.TAMPERED} == {commit}
        assert any("were not checked" in note for note in report.notes)


@pytest.mark.parametrize("data", [None, b"", b"{}", b'{"_":"evidence/store/1","origin":"evil.example/log"}'])
def test_evidence_json_is_never_trusted(victim: Victim, data: bytes | None) -> None:
    with victim.changed("evidence.json", data):
        report = victim.verify()
        assert report.verdict is Verdict.INTACT
        assert any("evidence.json" in note for note in report.notes)


def test_a_signature_line_by_a_stranger_changes_a_commit(victim: Victim) -> None:
    """The commit itself still opens; its successor names it by its bytes, so the chain breaks there."""
    path, successor = victim.paths("commit")[1:3]
    line = "\u2014 stranger.example/key AAAAAGFhYWE=\n".encode()
    with victim.changed(path, victim.read(path) + line):
        assert_named(victim.verify(), Verdict.TAMPERED, successor)

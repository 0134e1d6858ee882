"""The publisher signs one history: no forgery, no rollback; and whoever finishes its work writes the same bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ledger import checkpoints, commits, entries, merkle, tiles
from ledger.errors import PublisherRefusedError, StorageError
from ledger.history import History
from ledger.objects import Objects, open_objects
from ledger.publisher import Publisher
from ledger.verify import Options, Verdict, verify

if TYPE_CHECKING:
    from tests.fixtures_history import HandMade
    from tests.simulator.faulty_objects import Fault, FaultyObjects, Killed

NewPublisher = Callable[..., Publisher]


def derived(objects: Objects) -> dict[str, bytes]:
    return {
        info.path: objects.get(info.path)
        for prefix in ("ledger/checkpoint", "ledger/tile/")
        for info in objects.list(prefix)
    }


def size_of(objects: Objects) -> int:
    return checkpoints.parse_checkpoint(objects.get("ledger/checkpoint").split(b"\n\n")[0] + b"\n").size


def without(objects: Objects, count: int) -> Objects:
    """A copy of a store that lost its last commits."""
    copy = open_objects(objects.url + "-rolled-back")
    paths = [info.path for info in objects.list("")]
    lost = sorted(path for path in paths if path.startswith("ledger/commit/"))[-count:]
    for path in paths:
        if path not in lost and path != "ledger/checkpoint":
            copy.put_if_absent(path, objects.get(path))
    copy.replace("ledger/checkpoint", objects.get("ledger/checkpoint"))
    return copy


def test_tiles_and_bundles_are_those_of_the_whole_tree(log: HandMade, new_publisher: NewPublisher) -> None:
    """Published in steps across the first full tile, up to level 1: byte for byte what one computation gives."""
    for count in (1, 100, 160, 260, 0):
        log.append(count)
        new_publisher(log).publish()
    history = log.history
    size = history.frontier.size
    assert size > 2 * tiles.TILE_WIDTH
    found = derived(log.objects)
    expected = {f"ledger/{tile.path}": data for tile, data in tiles.tile_contents(history.leaves)}
    assert any(path.startswith("ledger/tile/1/") for path in expected)
    for path, data in expected.items():
        assert found[path] == data, path
    for tile in tiles.new_bundles(0, size):
        stored = tiles.parse_bundle(found[f"ledger/{tile.path}"])
        assert stored == [entry.data for entry in history.entries[tile.index * 256 :][: tile.width]]
    report, _ = verify(log.objects, Options("fast", [log.signers["log"].verifier]))
    assert report.verdict is Verdict.NOTHING_THERE, "all is in order; there is only no partition"
    assert report.covered["commits"] == history.seq + 1


def test_the_checkpoint_is_signed_and_kept(log: HandMade, new_publisher: NewPublisher) -> None:
    log.append(3)
    checkpoint = new_publisher(log).publish()
    assert checkpoint is not None
    assert checkpoint.root == merkle.root(log.history.leaves)
    note = log.objects.get("ledger/checkpoint")
    assert checkpoints.open_checkpoint(note, [log.signers["log"].verifier]) == checkpoint
    assert log.objects.get(f"ledger/checkpoints/{checkpoint.size}") == note


def test_publishing_twice_changes_nothing(log: HandMade, new_publisher: NewPublisher) -> None:
    log.append(3)
    new_publisher(log).publish()
    before = derived(log.objects)
    new_publisher(log).publish()
    assert derived(log.objects) == before


def test_an_empty_store_has_nothing_to_publish(log: HandMade, objects: Objects, new_publisher: NewPublisher) -> None:
    assert new_publisher(log, objects).publish() is None


@pytest.mark.parametrize("lost", [1, 3])
def test_a_store_that_lost_commits_is_not_signed(log: HandMade, new_publisher: NewPublisher, lost: int) -> None:
    log.append(5)
    new_publisher(log).publish()
    rolled_back = without(log.objects, lost)
    before = derived(rolled_back)
    with pytest.raises(PublisherRefusedError, match="was signed before"):
        new_publisher(log, rolled_back).publish()
    assert derived(rolled_back) == before


def test_another_history_of_the_signed_length_is_not_signed(log: HandMade, new_publisher: NewPublisher) -> None:
    """The last commits taken away and written anew, by the rightful writer."""
    log.append(5)
    new_publisher(log).publish()
    other = log.__class__(without(log.objects, 2), log.signers)
    for seq in range(4):
        other.history.apply(other.objects.get(commits.commit_path(seq)))
    for number in (70, 71, 72):
        data = other.sign(entries.encode("heartbeat", {"number": number}))
        other.put(data)
        other.history.apply(data)
    with pytest.raises(PublisherRefusedError):
        new_publisher(other).publish()


def test_a_checkpoint_beyond_what_was_ever_signed_is_not_built_upon(log: HandMade, new_publisher: NewPublisher) -> None:
    log.append(2)
    new_publisher(log).publish()
    forged = checkpoints.sign_checkpoint(checkpoints.Checkpoint(log.history.origin, 99, bytes(32)), log.signers["log"])
    log.objects.replace("ledger/checkpoint", forged)
    with pytest.raises(PublisherRefusedError, match="more than was ever signed"):
        new_publisher(log).publish()


def test_a_damaged_checkpoint_is_written_anew(log: HandMade, new_publisher: NewPublisher) -> None:
    log.append(2)
    new_publisher(log).publish()
    log.objects.replace("ledger/checkpoint", b"no note")
    log.append()
    new_publisher(log).publish()
    assert size_of(log.objects) == log.history.frontier.size


def test_other_bytes_where_a_tile_goes_are_not_overwritten(log: HandMade, new_publisher: NewPublisher) -> None:
    log.append(2)
    size = log.history.frontier.size
    for path in (f"ledger/{tiles.tile_path(0, 0, size)}", f"ledger/checkpoints/{size}"):
        copy = open_objects(log.objects.url + path.replace("/", "-"))
        for info in log.objects.list(""):
            copy.put_if_absent(info.path, log.objects.get(info.path))
        copy.put_if_absent(path, b"something else")
        with pytest.raises(PublisherRefusedError, match="other bytes|another note"):
            new_publisher(log, copy).publish()
        assert copy.get(path) == b"something else"


def test_a_key_that_the_log_does_not_name_signs_nothing(log: HandMade, new_publisher: NewPublisher) -> None:
    log.signers["log"] = log.signers["stranger"]
    with pytest.raises(PublisherRefusedError, match="does not name this key"):
        new_publisher(log).publish()


def test_a_publisher_killed_anywhere_is_finished_by_another_to_the_same_bytes(
    new_log: Callable[..., HandMade],
    new_publisher: NewPublisher,
    faulty: type[FaultyObjects],
    fault: type[Fault],
    killed: type[Killed],
) -> None:
    """Every write of a publication that grows across a full tile, before and after it persisted."""
    log = new_log()
    log.append(300)
    template = {info.path: log.objects.get(info.path) for info in log.objects.list("")}
    publisher = new_publisher(log)
    publisher.publish()
    expected = derived(log.objects)
    points = 0
    for kind in (fault.KILLED_BEFORE, fault.KILLED_AFTER, fault.FAILS_BEFORE, fault.FAILS_AFTER):
        for at in range(len(expected)):
            store = open_objects(f"{log.objects.url}-{kind.name}-{at}")
            for path, data in template.items():
                store.put_if_absent(path, data)
            for only in ("put_if_absent", "replace"):
                objects = faulty(store, fault=kind, at=at, only=only)
                try:
                    new_publisher(log, objects).publish()
                except (killed, StorageError):
                    points += 1
            new_publisher(log, store).publish()
            assert derived(store) == expected
    print(f"\n{points} points")
    assert points >= 20


def test_an_overtaken_publisher_does_not_take_the_checkpoint_back(log: HandMade, new_publisher: NewPublisher) -> None:
    """It is stopped just before its last write; another one commits, publishes, and then the first goes on."""
    log.append(2)
    inner = log.objects

    class Overtaken:
        """Lets another publisher run when this one has kept its checkpoint and is about to move the latest one."""

        url = inner.url

        def __getattr__(self, name: str) -> object:
            return getattr(inner, name)

        def put_if_absent(self, path: str, data: bytes) -> bool:
            done = inner.put_if_absent(path, data)
            if path.startswith("ledger/checkpoints/"):
                log.append(2)
                new_publisher(log).publish()
            return done

    overtaken: Objects = Overtaken()  # type: ignore[assignment]
    new_publisher(log, overtaken).publish()
    assert size_of(inner) == log.history.frontier.size


def test_publishers_at_once_agree_and_the_checkpoint_only_grows(log: HandMade, new_publisher: NewPublisher) -> None:
    seen: list[int] = []
    inner = log.objects
    watch = threading.Lock()

    class Watched:
        url = inner.url

        def __getattr__(self, name: str) -> object:
            return getattr(inner, name)

        def replace(self, path: str, data: bytes) -> None:
            with watch:
                inner.replace(path, data)
                seen.append(size_of(inner))

    watched: Objects = Watched()  # type: ignore[assignment]
    errors: list[BaseException] = []

    def publish() -> None:
        try:
            for _ in range(10):
                new_publisher(log, watched).publish()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=publish) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        log.append()
    for thread in threads:
        thread.join()
    new_publisher(log, watched).publish()
    assert errors == []
    assert seen == sorted(seen)
    assert size_of(inner) == log.history.frontier.size
    replayed = History()
    for seq in range(log.history.seq + 1):
        replayed.apply(inner.get(commits.commit_path(seq)))
    assert replayed.frontier.root() == log.history.frontier.root()

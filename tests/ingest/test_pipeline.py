"""What ingest takes in, what it leaves alone, and what it says: every byte is sealed once and comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest import pipeline
from ingest.inputs import Own, Source, expand
from ingest.pipeline import Pipeline
from ledger.errors import NotFoundError, UsageError
from ledger.store import Store
from ledger.verify import Verdict


def event(number: int, **more: Any) -> bytes:
    """One line of the native format."""
    line = {"evidence": "event/1", "kind": "inference", "source": "test", "id": f"call-{number}", **more}
    return orjson.dumps(line | {"text": f"what was said, {number}"}) + b"\n"


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def head(installation: Any) -> int:
    with installation.open() as store:
        seq: int = store.history.seq
    return seq


def ids(installation: Any, kind: str = "inference") -> Counter[str]:
    return Counter(line["source_id"] for line in installation.lines() if line["kind"] == kind)


def assert_whole(installation: Any, *paths: Path) -> None:
    assert installation.verify("deep").verdict is Verdict.INTACT
    assert installation.reconstruct(*paths) == [path.read_bytes() for path in paths]


def test_the_same_input_again_changes_nothing_and_says_so(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(2))
    first = installation.ingest(path)
    assert (first.inputs, first.unchanged, first.records, first.bytes) == (1, 0, 2, path.stat().st_size)
    seq = head(installation)
    again = installation.ingest(path)
    assert (again.inputs, again.unchanged, again.records, again.partitions) == (1, 1, 0, 0)
    assert again.refs == first.refs
    assert head(installation) == seq


def test_the_same_bytes_under_another_name_are_skipped(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(2))
    installation.ingest(path)
    seq = head(installation)
    copy = write(tmp_path / "copy.jsonl", path.read_bytes())
    assert installation.ingest(copy).unchanged == 1
    assert head(installation) == seq


def test_copies_in_one_run_are_taken_in_once(installation: Any, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder / "a.jsonl", event(1), event(2))
    write(folder / "b.jsonl", event(1), event(2))
    summary = installation.ingest(folder)
    assert (summary.inputs, summary.unchanged, summary.records) == (2, 1, 2)


def test_a_grown_log_goes_on_where_it_stopped(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(2))
    first = installation.ingest(path)
    write(path, event(1), event(2), event(3))
    second = installation.ingest(path)
    assert (second.records, second.bytes, second.known) == (1, len(event(3)), 0)
    assert first.refs == second.refs, "it is the same input"
    assert ids(installation) == {"call-1": 1, "call-2": 1, "call-3": 1}
    assert_whole(installation, path)


def test_a_log_whose_last_line_was_being_written_is_taken_in_anew(installation: Any, tmp_path: Path) -> None:
    """Half a line is no record. When it is whole, it is one; the lines before it are known."""
    path = write(tmp_path / "a.jsonl", event(1), event(2)[:-30])
    assert installation.ingest(path).rejected == {"not_json": 1}
    write(path, event(1), event(2), event(3))
    summary = installation.ingest(path)
    assert (summary.kinds["inference"], summary.known) == (2, 1)
    assert ids(installation) == {"call-1": 1, "call-2": 1, "call-3": 1}
    assert_whole(installation, path)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_log_whose_last_line_gets_its_end_later_goes_on(installation: Any, tmp_path: Path, end: bytes) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(2).rstrip())
    first = installation.ingest(path)
    write(path, event(1), event(2).rstrip(), end, event(3))
    second = installation.ingest(path)
    assert first.refs == second.refs, "it is the same input"
    assert (second.kinds, second.known) == ({"inference": 1, "envelope": 1}, 0)
    assert ids(installation) == {"call-1": 1, "call-2": 1, "call-3": 1}
    assert_whole(installation, path)


def test_an_empty_log_is_understood_when_it_has_lines(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b"")
    installation.ingest(path)
    write(path, event(1), event(2))
    assert installation.ingest(path).kinds["inference"] == 2
    assert_whole(installation, path)


def test_a_changed_file_is_a_new_input(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(2))
    first = installation.ingest(path)
    write(path, event(1), event(9), event(2))
    second = installation.ingest(path)
    assert first.refs != second.refs
    assert (second.kinds["inference"], second.known) == (1, 2)
    assert_whole(installation, path)


def test_a_file_that_is_changed_and_changed_back_is_what_it_was(installation: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    one, other, third = event(1), event(2), event(3)
    for content, unchanged in ((one, 0), (other, 0), (one, 1), (other, 1), (third, 0), (one, 1), (one + other, 0)):
        write(path, content)
        assert installation.ingest(path).unchanged == unchanged
        assert installation.reconstruct(path) == [content]
    assert installation.verify("deep").verdict is Verdict.INTACT


def test_a_file_that_was_a_copy_and_is_written_anew_is_itself(installation: Any, tmp_path: Path) -> None:
    path, copy = write(tmp_path / "a.jsonl", event(1)), write(tmp_path / "copy.jsonl", event(1))
    installation.ingest(path, copy)
    write(copy, event(2))
    installation.ingest(copy)
    assert_whole(installation, path, copy)


def test_a_record_that_was_changed_is_kept_beside_the_first(installation: Any, tmp_path: Path) -> None:
    """The same id with other bytes is no duplicate: both are evidence."""
    path = write(tmp_path / "a.jsonl", event(1))
    installation.ingest(path)
    write(path, event(1, status="error"))
    assert installation.ingest(path).known == 0
    assert ids(installation) == {"call-1": 2}


def test_lines_of_an_earlier_file_are_referred_to_and_not_sealed_again(installation: Any, tmp_path: Path) -> None:
    installation.ingest(write(tmp_path / "whole.jsonl", *(event(number) for number in range(40))))
    cut = write(tmp_path / "cut.jsonl", *(event(number) for number in range(10, 30)))
    summary = installation.ingest(cut)
    assert (summary.known, summary.records, dict(summary.kinds)) == (20, 1, {"envelope": 1})
    assert set(ids(installation).values()) == {1}
    assert_whole(installation, cut)
    assert installation.ingest(cut).unchanged == 1


def test_an_id_that_a_file_repeats_is_kept_as_it_is(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(1))
    assert installation.ingest(path).records == 2
    assert_whole(installation, path)


def test_duplicate_keys_are_sealed_and_flagged(installation: Any, tmp_path: Path) -> None:
    line = event(1).replace(b'"kind":', b'"status":"ok","status":"error","kind":')
    path = write(tmp_path / "a.jsonl", line, event(2))
    installation.ingest(path)
    flagged = {line["source_id"]: line.get("warnings") for line in installation.lines()}
    assert flagged == {"call-1": ["duplicate_keys"], "call-2": None}
    assert_whole(installation, path)


def test_lines_of_nothing_are_kept(installation: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b"\n", event(1), b"  \r\n", event(2), b"\n\n")
    assert installation.ingest(path).kinds == {"inference": 2, "envelope": 1}
    assert_whole(installation, path)


@pytest.mark.parametrize(
    "data",
    [b"", bytes(range(256)) * 9, b"no log\n", b"\xef\xbb\xbf" + event(1)],
    ids=["empty", "binary", "text", "byte order mark"],
)
def test_what_cannot_be_understood_is_sealed_all_the_same(installation: Any, tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "input", data)
    summary = installation.ingest(path)
    assert summary.kinds == {"rejected": 1}
    assert summary.rejected.total() == 1
    assert_whole(installation, path)


def test_what_was_sealed_without_being_understood_is_not_sealed_again_and_is_counted(
    installation: Any, tmp_path: Path
) -> None:
    path, copy = write(tmp_path / "a.txt", b"no log\n"), tmp_path / "copy.txt"
    assert installation.ingest(path).not_understood == 0
    copy.write_bytes(path.read_bytes())
    again = installation.ingest(path, copy, write(tmp_path / "b.jsonl", event(1)), format_name="evidence")
    assert (again.inputs, again.unchanged, again.not_understood) == (3, 2, 2)


def test_a_log_of_webhooks_is_read_line_by_line_though_its_deployments_come_late(
    installation: Any, tmp_path: Path
) -> None:
    hook = {"action": "created", "repository": {"id": 1}, "sender": {"login": "omar-d"}}
    pushes = [orjson.dumps(hook | {"ref": f"refs/heads/{number}"}) + b"\n" for number in range(60)]
    deployment = {"id": 7, "sha": "5275a45b", "environment": "production", "created_at": "2025-03-01T09:00:00Z"}
    path = write(tmp_path / "hooks.jsonl", *pushes, orjson.dumps(hook | {"deployment": deployment}) + b"\n")
    summary = installation.ingest(path)
    assert summary.kinds == {"rejected": 60, "change": 1}
    assert summary.rejected == {"unknown_shape": 60}
    assert_whole(installation, path)


@pytest.fixture
def small(new_installation: Callable[..., Any], tmp_path: Path) -> Any:
    """A store that seals often."""
    return new_installation(tmp_path / "small", seal_bytes=4096, seal_rows=5)


def test_portions_end_at_lines(small: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *(event(number) for number in range(57)))
    summary = small.ingest(path)
    assert (summary.records, summary.partitions) == (57, 12)
    assert_whole(small, path)


def test_a_line_that_no_portion_can_hold_is_sealed_in_blocks(small: Any, tmp_path: Path) -> None:
    giant = event(2, padding="x" * 20_000)
    path = write(tmp_path / "a.jsonl", event(1), giant, event(3))
    summary = small.ingest(path)
    assert summary.kinds["inference"] >= 1
    assert set(summary.rejected) <= {"line_too_long", "not_json"}
    assert ids(small)["call-1"] == 1
    assert_whole(small, path)


@pytest.mark.parametrize(
    "more",
    [
        {"session": "s" * 100_000},
        {"id": "i" * 100_000},
        {"system": "x" * 100_000},
        {"model": {"name": "n" * 100_000}},
        {"links": [{"relation": "part_of", "source": "x", "id": str(n)} for n in range(5000)]},
        {"subjects": {"mentioned": [{"type": "email", "id": f"{n}@x.example"} for n in range(5000)]}},
        {"gen_ai": {"response.finish_reasons": ["stop"] * 5000}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_line_with_huge_fields_does_not_stop_an_ingest(
    installation: Any, tmp_path: Path, more: dict[str, Any]
) -> None:
    path = write(tmp_path / "a.jsonl", event(1), event(2, **more), event(3))
    installation.ingest(path)
    assert {"call-1", "call-3"} <= set(ids(installation))
    assert_whole(installation, path)


def test_what_lies_about_is_found_and_what_is_no_file_is_not(installation: Any, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    write(folder / "deep" / "a.jsonl", event(1))
    write(folder / "b.jsonl", event(2))
    (folder / "nowhere").symlink_to(tmp_path / "missing")
    summary = installation.ingest(folder, folder / "b.jsonl", folder / "*.jsonl")
    assert (summary.inputs, summary.records) == (2, 2)
    with pytest.raises(NotFoundError):
        installation.ingest(tmp_path / "missing")


@pytest.mark.parametrize("name", ["dbl::x.jsonl", "zip::memory.jsonl", "data:x.jsonl", "a#b%41.jsonl", "x?.jsonl"])
def test_a_file_may_be_named_like_a_url(installation: Any, tmp_path: Path, name: str, monkeypatch: Any) -> None:
    path = write(tmp_path / name, event(1))
    monkeypatch.chdir(tmp_path)
    assert installation.ingest(Path(name)).records == 1
    assert_whole(installation, path)


def test_a_file_that_is_gone_when_its_turn_comes_does_not_stop_the_others(
    installation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / f"{number}.jsonl", event(number)) for number in range(3)]

    def listed(names: Iterable[str], own: Own) -> tuple[list[Source], int]:
        found = expand(names, own)
        paths[1].unlink()
        return found

    monkeypatch.setattr(pipeline, "expand", listed)
    summary = installation.ingest(*paths)
    assert (summary.inputs, summary.records) == (2, 2)
    assert list(summary.unreadable) == [str(paths[1])]
    assert "No such file" in summary.unreadable[str(paths[1])]
    assert_whole(installation, paths[0], paths[2])


def test_no_name_and_no_content_stands_outside_what_is_encrypted(installation: Any, tmp_path: Path) -> None:
    """Not in a line, an entry, an object's name or the metadata of a file."""
    secret = "Ana Example"
    folder = tmp_path / f"logs of {secret}"
    folder.mkdir()
    person = {"type": "email", "id": "ana@example.org"}
    line = event(1, subjects={"end_user": [person]}, owner=person, session={"type": "session", "id": secret})
    path = write(folder / f"{secret}.jsonl", line, secret.encode() + b" is not JSON\n")
    installation.ingest(path)
    for stored in installation.folder.rglob("*"):
        found = str(stored.relative_to(installation.folder)).encode() + (
            stored.read_bytes() if stored.is_file() else b""
        )
        for word in (secret.encode(), b"ana@example.org", b"what was said"):
            assert word not in found
    for record in installation.lines():
        assert secret not in str(record)
        assert "ana@" not in str(record)
    assert_whole(installation, path)


def test_the_stores_own_files_are_no_inputs(installation: Any) -> None:
    """Whoever ingests the folder that the installation stands in does not seal its keys for ever."""
    folder = installation.config.parent
    log = write(folder / "log.jsonl", event(1))
    summary = installation.ingest(folder)
    private = folder / f"{installation.config.stem}-private"
    keys = {f"{name}.key" for name in ("admin", "writer", "privacy", "log", "kek")}
    assert keys <= {path.name for path in private.iterdir()}
    assert summary.own_files > len(keys)
    assert set(summary.refs) == {str(log), str(installation.config)}
    again = installation.ingest(folder)
    assert (again.unchanged, again.records) == (2, 0)
    for path in (private / "admin.key", private, installation.folder):
        with pytest.raises(UsageError, match="belongs to the store itself"):
            installation.ingest(path)


def test_an_empty_path_is_not_this_folder(installation: Any) -> None:
    with installation.open() as store, pytest.raises(UsageError, match="an empty path"):
        Pipeline(store).run([""])


def test_a_person_who_is_erased_while_their_records_are_built_is_sealed_under_a_new_key(
    installation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sealed after an erasure is not covered by it: under the destroyed key it would be lost for ever."""
    path = write(tmp_path / "log.jsonl", event(1, subjects={"end_user": [{"type": "email", "id": "ana@example.org"}]}))
    append = Store.append

    def erased_first(store: Store, *given: Any) -> Any:
        monkeypatch.setattr(Store, "append", append)
        installation.erase("ana@example.org")
        return append(store, *given)

    monkeypatch.setattr(Store, "append", erased_first)
    assert installation.ingest(path).records == 1
    report = installation.verify("deep")
    assert (report.verdict, report.explained) == (Verdict.INTACT, {})
    assert_whole(installation, path)

"""Verdicts are never blurred: each state of a store, of the keys and of the pin has its own word and exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from ledger import notes
from ledger.commits import commit_path
from ledger.decryption import Decryptor
from ledger.objects import open_objects
from ledger.store import load_signer, open_keyring
from ledger.verify import Options, Report, Verdict, verify
from ledger.verify.report import MAX_FINDINGS, WORST_FIRST


def test_a_filled_store_is_intact(filled: Any) -> None:
    for level in ("head", "fast", "deep"):
        report = filled.verify(level)
        assert (report.verdict, report.exit_code) == (Verdict.INTACT, 0)


def test_a_folder_without_a_store_is_not_ok(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        report, pin = verify(open_objects(str(folder)), Options())
        assert (report.verdict, report.exit_code, pin) == (Verdict.NOTHING_THERE, 4, None)


def test_a_store_without_a_partition_is_not_ok(installation: Any) -> None:
    for level in ("fast", "deep"):
        report = installation.verify(level)
        assert (report.verdict, report.exit_code) == (Verdict.NOTHING_THERE, 4)


def test_a_wrong_key_is_not_called_tampering(filled: Any) -> None:
    """The log's own key vouches for the checkpoint, so it is the given key that is another log's."""
    stranger = notes.Signer.generate("stranger.example").verifier
    for level in ("head", "fast", "deep"):
        report = filled.verify(level, keys=[stranger])
        assert (report.verdict, report.exit_code) == (Verdict.UNVERIFIABLE, 3)


def test_without_a_key_nothing_is_verified(filled: Any) -> None:
    report, pin = filled.verify_and_pin("fast", keys=[])
    assert (report.verdict, report.exit_code, pin) == (Verdict.UNVERIFIABLE, 3, None)


def test_the_keyring_of_another_store_is_not_called_tampering(
    filled: Any, new_installation: Callable[..., Any], tmp_path: Path
) -> None:
    other = new_installation(tmp_path / "other")
    keyring = open_keyring(other.settings)
    report = filled.verify("deep", open_decryptor=lambda: Decryptor(keyring, keyring.store_id))
    keyring.close()
    assert (report.verdict, report.exit_code) == (Verdict.UNVERIFIABLE, 3)
    assert any("do not open with the keys that are held" in finding.reason for finding in report.findings)


def test_an_entry_of_an_unknown_type_is_included_and_means_nothing(filled: Any) -> None:
    with filled.open() as store:
        store.append([("prophecy", {"says": "doom"})])
        store.publish()
    report = filled.verify("fast")
    assert (report.verdict, report.exit_code) == (Verdict.UNVERIFIABLE, 3)
    assert report.covered["commits"] == 3


def test_a_commit_of_a_later_version_counts_only_with_the_writers_signature(filled: Any) -> None:
    """An altered byte can look like a later version."""
    with filled.open() as store:
        text = b"evidence/commit/2\nwhat a later release writes\n"
        note = notes.sign_note(text, load_signer(filled.settings.writer_key))
        path = commit_path(store.history.seq + 1)
        store.objects.put_if_absent(path, note)
    assert filled.verify("fast").verdict is Verdict.UNVERIFIABLE
    (filled.folder / path).write_bytes(note.replace(b"later", b"other"))
    assert filled.verify("fast").verdict is Verdict.TAMPERED


def test_strict_wants_a_pin(filled: Any) -> None:
    report, pin = filled.verify_and_pin("fast", strict=True)
    assert (report.verdict, report.exit_code, report.grade) == (Verdict.UNPINNED, 6, "self-signed")
    report = filled.verify("fast", strict=True, pin=pin)
    assert (report.verdict, report.exit_code, report.grade) == (Verdict.INTACT, 0, "pinned")


def test_strict_wants_a_recent_commit(filled: Any) -> None:
    _, pin = filled.verify_and_pin("fast")
    options: dict[str, Any] = {"pin": pin, "max_age": timedelta(0)}
    assert filled.verify("fast", strict=True, **options).exit_code == 6
    assert filled.verify("fast", strict=True, **options).verdict is Verdict.STALE
    assert filled.verify("fast", **options).exit_code == 0


def test_a_rolled_back_store_verifies_without_a_pin_and_not_with_one(filled: Any, tmp_path: Path) -> None:
    copy = {path: path.read_bytes() for path in filled.folder.rglob("*") if path.is_file()}
    more = tmp_path / "more.txt"
    more.write_text("not a log either\n")
    filled.ingest(more)
    _, pin = filled.verify_and_pin("fast")
    for path in filled.folder.rglob("*"):
        if path.is_file() and path not in copy:
            path.unlink()
    for path, data in copy.items():
        path.write_bytes(data)
    assert filled.verify("deep").verdict is Verdict.INTACT
    report = filled.verify("head", pin=pin)
    assert (report.verdict, report.exit_code) == (Verdict.LOST, 5)
    assert "rolled back" in report.findings[0].reason


def test_the_pin_is_the_checkpoint_that_was_verified(filled: Any, tmp_path: Path) -> None:
    """Not one that was published while the run lasted, which nobody has checked."""
    more = tmp_path / "more.txt"
    more.write_text("not a log either\n")
    keyring = open_keyring(filled.settings)

    def open_decryptor() -> Decryptor:
        filled.ingest(more)
        return Decryptor(keyring, keyring.store_id)

    report, pin = filled.verify_and_pin("deep", open_decryptor=open_decryptor)
    keyring.close()
    assert report.verdict is Verdict.INTACT
    assert pin is not None
    assert pin.checkpoint.size == report.size < filled.verify("head").size


def test_a_store_that_grows_while_it_is_verified_raises_no_alarm(filled: Any, tmp_path: Path) -> None:
    """The writer commits and publishes between the reading of the commits and everything that follows."""
    inner = filled.objects()

    class Growing:
        """Ingests once, right after the last commit was read."""

        url = inner.url
        grown = False

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def list(self, prefix: str) -> Any:
            found = list(inner.list(prefix))
            if prefix == "ledger/commit/" and not self.grown:
                self.grown = True
                more = tmp_path / "more.txt"
                more.write_text("not a log either\n")
                filled.ingest(more)
            return iter(found)

    objects = Growing()
    report, _ = verify(objects, Options("fast", [filled.log_key]))
    assert objects.grown
    assert report.verdict is Verdict.INTACT, report.findings


def test_the_worst_verdict_wins_also_where_it_is_not_shown() -> None:
    report = Report("fast", strict=True)
    for number in range(MAX_FINDINGS + 1):
        report.add(Verdict.LOST, f"object {number}", "missing")
    report.add(Verdict.TAMPERED, "one more", "altered")
    assert report.suppressed == 2
    assert (report.verdict, report.exit_code) == (Verdict.TAMPERED, 1)
    for verdict in reversed(WORST_FIRST):
        report = Report("fast", strict=True)
        report.verdicts = set(WORST_FIRST[WORST_FIRST.index(verdict) :])
        assert report.verdict is verdict


def test_verifying_loads_no_writer_no_keyring_and_no_database() -> None:
    """An auditor's machine needs none of them: what is imported is what the store's URL and the level ask for."""
    forbidden = ["ledger.keyring", "ledger.store", "ledger.log", "ledger.settings", "ledger.publisher", "ledger.spool"]
    forbidden += ["duckdb", "s3fs", "fsspec", "sqlalchemy", "boto3"]
    code = f"import sys, ledger.verify; sys.exit(','.join(set({forbidden!r}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

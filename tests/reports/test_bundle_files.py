"""What export writes, file by file, read without the product's own verifier."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ledger import canonical, merkle, notes
from ledger.checkpoints import parse_checkpoint
from ledger.proofs import parse_proof, verify_proof
from reports import archive
from reports.archive import Archive
from reports.bundle.export import Order
from reports.bundle.writer import BundleWriter
from reports.selection.predicates import PeriodSelection, SessionSelection
from tests.reports.bundles import Bank, Files, unzip


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def lines(data: bytes) -> list[Any]:
    return [canonical.decode(line) for line in data.splitlines()]


def described(files: Files) -> dict[str, Any]:
    found = canonical.decode(files["data/bundle.json"])
    assert isinstance(found, dict)
    return found


# -- the bag


def test_the_bag_lists_its_payload_and_its_tag_files(content_bundle: bytes) -> None:
    """RFC 8493, section 2: the declaration, both manifests, and the payload's bytes and files."""
    files = unzip(content_bundle)
    payload = {name for name in files if name.startswith("data/")}
    for manifest, listed in (
        ("manifest-sha256.txt", payload),
        ("tagmanifest-sha256.txt", files.keys() - payload - {"tagmanifest-sha256.txt"}),
    ):
        rows = [row.split("  ") for row in files[manifest].decode().splitlines()]
        assert [name for _, name in rows] == sorted(listed, key=str.encode)
        assert all(hashlib.sha256(files[name]).hexdigest() == digest for digest, name in rows)
    assert files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    info = dict(row.split(": ") for row in files["bag-info.txt"].decode().splitlines())
    assert info["Payload-Oxum"] == f"{sum(len(files[name]) for name in payload)}.{len(payload)}"
    checkpoint = described(files)["checkpoint"]
    assert info["External-Identifier"] == f"{checkpoint['origin']}@{checkpoint['size']}"


@pytest.mark.parametrize("manifest", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_sha256sum_agrees(content_bundle: bytes, tmp_path: Path, manifest: str) -> None:
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("no sha256sum here")
    with zipfile.ZipFile(io.BytesIO(content_bundle)) as packed:
        packed.extractall(tmp_path)
    call = [program, "--check", "--strict", manifest]
    assert subprocess.run(call, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "data" / "checkpoint").write_bytes(b"")
    (tmp_path / "README.txt").write_bytes(b"")
    assert subprocess.run(call, cwd=tmp_path, capture_output=True, check=False).returncode != 0


# -- from records to the checkpoint


def check_proofs(files: Files, vkey: str) -> dict[int, bytes]:
    """Every proof against the checkpoint, and the subset that it shows against the partition's root; the entries."""
    verifier = notes.Verifier.from_vkey(vkey)
    entries = {item["index"]: base64.b64decode(item["entry"]) for item in lines(files["data/entries.jsonl"])}
    shown: dict[int, dict[int, bytes]] = {}
    for name in ("data/population.csv", "data/context.csv"):
        for item in table(files.get(name, b"")):
            shown.setdefault(int(item["partition"]), {})[int(item["row"])] = bytes.fromhex(item["record"])
    for name in files:
        if name.startswith("data/proofs/"):
            proof = parse_proof(files[name])
            verify_proof(proof, entries[proof.index], [verifier])
            assert (name, proof.checkpoint) == (f"data/proofs/{proof.index}.tlog-proof", files["data/checkpoint"])
            if proof.extra is not None:
                extra, entry = canonical.decode(proof.extra), json.loads(entries[proof.index])
                rows = sorted(shown.pop(proof.index).items())
                assert [row for first, count in extra["ranges"] for row in range(first, first + count)] == [
                    row for row, _ in rows
                ]
                hashes = [bytes.fromhex(item) for item in extra["hashes"]]
                assert merkle.root_from_subset(extra["rows"], rows, hashes).hex() == entry["root"]
                assert (extra["entry"], extra["rows"]) == (proof.index, entry["rows"])
    assert not shown, "every row that is shown is proven"
    return entries


def check_lines(files: Files) -> None:
    """Each line is the one whose id stands beside it, in the order of the table."""
    for listed, name in (("population.csv", "records.jsonl"), ("context.csv", "context.jsonl")):
        found = files.get(f"data/{name}", b"").splitlines()
        ids = [item["record"] for item in table(files.get(f"data/{listed}", b""))]
        assert [merkle.leaf_hash(line).hex() for line in found] == ids
        places = [(int(item["partition"]), int(item["row"])) for item in table(files.get(f"data/{listed}", b""))]
        assert places == sorted(set(places))


def test_a_session_is_shown_with_the_proofs_of_its_rows(bank: Bank, session_bundle: bytes) -> None:
    files = unzip(session_bundle)
    entries = check_proofs(files, bank.log_vkey)
    check_lines(files)
    said = described(files)
    assert (said["completeness"], said["content"], said["sampled"]) == ("shown", "none", False)
    assert {record["session"] for record in lines(files["data/records.jsonl"])} == {bank.session}
    assert "data/context.csv" not in files
    assert {f"data/proofs/{index}.tlog-proof" for index in entries} <= files.keys()
    assert said["counts"]["population"] == said["counts"]["records"] == len(lines(files["data/records.jsonl"]))


@pytest.mark.parametrize("kind", ["time", "session"])
def test_a_whole_bundle_holds_every_entry_and_every_row_that_could_belong(
    bank: Bank, morning: PeriodSelection, period_bundle: bytes, kind: str
) -> None:
    session = SessionSelection(bank.session)
    data = period_bundle if kind == "time" else bank.export(session, order=Order(complete=True))[0]
    files, selection = unzip(data), morning if kind == "time" else session
    entries = check_proofs(files, bank.log_vkey)
    check_lines(files)
    checkpoint = parse_checkpoint(notes.parse_note(files["data/checkpoint"]).text)
    assert list(entries) == list(range(checkpoint.size))
    assert merkle.root(merkle.leaf_hashes(entries.values())) == checkpoint.root
    shown = {int(item["partition"]) for item in table(files["data/population.csv"]) + table(files["data/context.csv"])}
    parsed = {index: json.loads(entry) for index, entry in entries.items()}
    able = {i for i, entry in parsed.items() if entry["type"] == "partition" and selection.may_hold(entry)}
    assert shown == able
    assert described(files)["counts"]["complete_partitions"] == len(able)
    assert all(selection.matches(record) for record in lines(files["data/records.jsonl"]))
    others = lines(files["data/context.jsonl"])
    assert others
    assert not any(selection.matches(record) for record in others)
    assert {item["stratum"] for item in table(files["data/context.csv"])} == {"complete"}


def test_content_stands_gapless_in_one_file_a_partition_and_fits_its_commitments(content_bundle: bytes) -> None:
    files = unzip(content_bundle)
    records = lines(files["data/records.jsonl"])
    ends: dict[int, int] = {}
    for record, item, place in zip(
        records, lines(files["data/content.jsonl"]), table(files["data/population.csv"]), strict=True
    ):
        assert [item["record"], str(item["partition"]), str(item["row"])] == [
            place[name] for name in ("record", "partition", "row")
        ]
        assert (item["state"], item["offset"]) == ("verified", ends.get(item["partition"], 0))
        ends[item["partition"]] = item["offset"] + item["size"]
        content = files[f"data/content/{item['partition']}.bin"][item["offset"] : ends[item["partition"]]]
        commitment = hashlib.sha256(bytes.fromhex(item["row_key"]) + content).hexdigest()
        assert commitment == record["content"]["commitment"]
    assert {name: len(files[name]) for name in files if name.startswith("data/content/")} == {
        f"data/content/{partition}.bin": size for partition, size in ends.items()
    }


def test_the_policy_names_the_log_and_its_key(bank: Bank, session_bundle: bytes) -> None:
    assert unzip(session_bundle)["data/policy"] == f"log {bank.log_vkey}\nquorum none\n".encode()


def test_an_earlier_checkpoint_gives_the_bundle_of_then(fresh_bank: Bank) -> None:
    session = SessionSelection(fresh_bank.session)
    before, summary = fresh_bank.export(session)
    fresh_bank.export(session)
    now, later = fresh_bank.export(session)
    assert later.checkpoint_size > summary.checkpoint_size, "an export is recorded, which moves the log on"
    assert now != before
    assert fresh_bank.export(session, order=Order(at=summary.checkpoint_size))[0] == before


# -- the archive


def test_too_many_files_are_refused_before_an_archive_needs_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    from ledger.errors import UsageError

    monkeypatch.setattr(archive, "MAX_FILES", 3)
    writer = Archive(io.BytesIO())
    for name in "abc":
        writer.add(name, b"")
    with pytest.raises(UsageError, match="too large"):
        writer.add("d", b"")


def test_a_page_gets_an_archive_of_its_own_while_it_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with BundleWriter(out, core=True) as writer:
        writer.add("a", b"1")
        writer.tag("README.txt", b"2", core=False)
        core = writer.core()
        writer.finish()
    assert core is not None
    assert unzip(core) == {"data/a": b"1"}
    assert set(unzip(out.getvalue())) == {"data/a", "README.txt", "tagmanifest-sha256.txt"}

    monkeypatch.setattr("reports.bundle.writer.MAX_CORE", 10)
    with BundleWriter(io.BytesIO(), core=True) as writer:
        writer.add("a", b"1")
        assert writer.core() is None

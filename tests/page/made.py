"""Bundles made by hand, of any shape and content: no store, so ten thousand rows or a hostile text are cheap."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import canonical, merkle, notes, proofs
from reports.bundle import attestation
from reports.exports import grants
from reports.exports.sealed_content import record_key, seal

ORIGIN = "logs.bank.example/assistant"
STORE = "be4bc45480d1a52ede441855f1df0c6e"
EXPORT = "c0ffee00" * 4
LOG = notes.Signer(ORIGIN, bytes([1]) * 32)
BUNDLE = notes.Signer(f"{ORIGIN}/bundle", bytes([2]) * 32)
ADMIN = notes.Signer(f"{ORIGIN}/admin", bytes([3]) * 32)
OWNER = "37e94e55e9ebf2ab40c593b8cba40334"
Files = dict[str, bytes]


@dataclass(frozen=True)
class Turn:
    """One record: its line's fields, its content, and how the exporter arranged it."""

    content: bytes = b""
    parts: Sequence[Mapping[str, Any]] = ()
    session: str = "s-1"
    kind: str = "inference"
    fields: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    state: str = "verified"


def said(role: str, text: str, *, verbatim: bool = True, kind: str = "text", name: str | None = None) -> dict[str, Any]:
    """A part of a turn."""
    return {"role": role, "text": text, "type": kind, "verbatim": verbatim, **({"name": name} if name else {})}


@dataclass(frozen=True)
class Row:
    partition: int
    row: int
    turn: Turn
    line: bytes
    row_key: bytes

    @property
    def record(self) -> bytes:
        return merkle.leaf_hash(self.line)


def time_of(second: int) -> str:
    return (
        f"2026-10-{1 + second // 86400 % 28:02d}T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
    )


def rows_of(turns: Sequence[Turn], rows_per_partition: int, first_entry: int) -> list[Row]:
    rows = []
    for number, turn in enumerate(turns):
        row_key = hashlib.sha256(b"row key %d" % number).digest()
        line = {
            "_": "evidence/record/1",
            "adapter": "litellm/1",
            "content": {
                "commitment": hashlib.sha256(row_key + turn.content).hexdigest(),
                "length_class": len(turn.content).bit_length(),
                "owner": OWNER,
            },
            "kind": turn.kind,
            "observed_at": "2026-11-01T00:00:00Z",
            "occurred_at": time_of(number * 7),
            "retention_class": "standard",
            "session": turn.session,
            "source": "gateway",
            "source_id": f"r-{number}",
            "time_basis": "source",
            **turn.fields,
        }
        place = first_entry + number // rows_per_partition, number % rows_per_partition
        rows.append(Row(*place, turn, canonical.encode(line), row_key))
    return rows


def _entries(rows: Sequence[Row], more: Iterable[Mapping[str, Any]]) -> list[bytes]:
    values: list[Mapping[str, Any]] = [
        {"admin": ADMIN.vkey, "origin": ORIGIN, "store": STORE, "suites": {}, "type": "genesis"},
        {"action": "enrol", "roles": ["log"], "type": "key", "vkey": LOG.vkey},
        {"action": "enrol", "roles": ["bundle"], "type": "key", "vkey": BUNDLE.vkey},
    ]
    for partition in sorted({row.partition for row in rows}):
        own = [row for row in rows if row.partition == partition]
        times = sorted(json.loads(row.line)["occurred_at"] for row in own)
        root = merkle.root([row.record for row in own]).hex()
        values.append(
            {"root": root, "rows": len(own), "time": {"from": times[0], "to": times[-1]}, "type": "partition"}
        )
    return [canonical.encode({"_": "evidence/entry/1", **value}) for value in (*values, *more)]


def bundle_files(
    turns: Sequence[Turn],
    *,
    rows_per_partition: int = 1000,
    content: str = "disclosed",
    entries: Iterable[Mapping[str, Any]] = (),
    change: Callable[[Files], None] = lambda _files: None,
) -> Files:
    """The files of a bundle over all records of a log: whole. ``change``: what a forger does before the manifest."""
    rows = rows_of(turns, rows_per_partition, 3)
    log = _entries(rows, entries)
    leaves = merkle.leaf_hashes(log)
    checkpoint = notes.sign_note(f"{ORIGIN}\n{len(log)}\n{base64.b64encode(merkle.root(leaves)).decode()}\n", LOG)
    files: Files = {
        "data/checkpoint": checkpoint,
        "data/log.vkey": f"{LOG.vkey}\n".encode(),
        "data/policy": f"log {LOG.vkey}\nquorum none\n".encode(),
        "data/population.csv": b"partition,row,record,stratum\n"
        + b"".join(b"%d,%d,%s,\n" % (row.partition, row.row, row.record.hex().encode()) for row in rows),
        "data/records.jsonl": b"".join(row.line + b"\n" for row in rows),
        "data/entries.jsonl": b"".join(
            canonical.encode({"entry": base64.b64encode(entry).decode(), "index": index, "seq": index}) + b"\n"
            for index, entry in enumerate(log)
        ),
    }
    for partition in sorted({row.partition for row in rows}):
        count = sum(row.partition == partition for row in rows)
        extra = {
            "_": "evidence/subset-proof/1",
            "entry": partition,
            "hashes": [],
            "ranges": [[0, count]],
            "rows": count,
        }
        proof = merkle.inclusion_proof(leaves, partition)
        found = proofs.TlogProof(partition, tuple(proof), checkpoint, canonical.encode(extra))
        files[f"data/proofs/{partition}.tlog-proof"] = found.text()
    if content != "none":
        files |= _content(rows, content == "sealed")
    files["data/bundle.json"] = plain(_statement(rows, log, checkpoint, merkle.root(leaves), content))
    change(files)
    return sealed_bag(files)


def plain(value: object) -> bytes:
    """Canonical as a verifier reads it: keys of any spelling, which the product does not write."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _statement(
    rows: Sequence[Row], log: Sequence[bytes], checkpoint: bytes, root: bytes, content: str
) -> dict[str, Any]:
    partitions = len({row.partition for row in rows})
    states: dict[str, int] = {}
    for row in rows if content != "none" else ():
        states[row.turn.state] = states.get(row.turn.state, 0) + 1
    counts = {
        "complete_partitions": partitions,
        "contents": states,
        "context": 0,
        "entries": len(log),
        "partitions": partitions,
        "population": len(rows),
        "records": len(rows),
    }
    return {
        "_": "evidence/bundle/2",
        "checkpoint": {"origin": ORIGIN, "root": root.hex(), "size": len(log)},
        "completeness": "whole",
        "content": content,
        "counts": counts,
        **({"export": EXPORT} if content == "sealed" else {}),
        "not_proven": [],
        "origin": ORIGIN,
        "proven": [],
        "sampled": False,
        "selection": {"type": "time"},
        "store": STORE,
    }


def _content(rows: Sequence[Row], sealed: bool) -> Files:
    blobs: dict[int, bytes] = {}
    items, events = [], []
    for row in rows:
        turn, record = row.turn, row.record
        item: dict[str, Any] = {"partition": row.partition, "record": record.hex(), "row": row.row, "state": turn.state}
        if turn.state in ("verified", "redacted"):
            parts = canonical.encode({"p": list(turn.parts)})[5:-1]
            export = bytes.fromhex(EXPORT)
            data = seal(export, record, row.row_key, parts, turn.content) if sealed else turn.content
            before = blobs.get(row.partition, b"")
            item |= {"offset": len(before), "size": len(data)} | ({} if sealed else {"row_key": row.row_key.hex()})
            blobs[row.partition] = before + data
        items.append(item)
        line = json.loads(row.line)
        event = {"at": line["occurred_at"], "duplicate": False, "idle": None, "in_force": [], "kind": turn.kind}
        event |= {"notes": [], "parts": None if sealed else list(turn.parts), "record": record.hex(), "repeated": 0}
        event |= {"session": turn.session, "state": turn.state, "time_basis": "source", **turn.event}
        events.append(event)
    events.sort(key=lambda event: str(event["session"]))
    files = {f"data/content/{partition}.bin": data for partition, data in blobs.items() if data}
    files["data/content.jsonl"] = b"".join(canonical.encode(item) + b"\n" for item in items)
    files["data/replay.jsonl"] = b"".join(canonical.encode(event) + b"\n" for event in events)
    return files


def sealed_bag(files: Files) -> Files:
    """The payload with what makes a bag of it: what a forger who holds the key for bundles could do too."""
    payload = {name: data for name, data in files.items() if name.startswith("data/")}
    stated = json.loads(payload["data/bundle.json"])
    log = stated["checkpoint"]
    manifest = _manifest(payload)
    predicate = {name: stated[name] for name in ("checkpoint", "completeness", "content", "origin", "selection")}
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": (
            "Bag-Software-Agent: evidence 0.1.0\nBagging-Date: 2026-11-01\n"
            f"External-Identifier: {log['origin']}@{log['size']}\n"
            f"Payload-Oxum: {sum(map(len, payload.values()))}.{len(payload)}\n"
        ).encode(),
        "manifest-sha256.txt": manifest,
        attestation.FILE: attestation.envelope(attestation.statement(manifest, {**predicate, "tool": "test"}), BUNDLE),
        "README.txt": b"Read me.\n",
        "verify.py": b"# a copy\n",
    }
    return {**payload, **tags, "tagmanifest-sha256.txt": _manifest(tags)}


def _manifest(files: Files) -> bytes:
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def zipped(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=False) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def core(files: Files) -> bytes:
    """What a page embeds: the bag without what stands beside it."""
    beside = ("README.txt", "verify.py", "report.html", "report.pdf", "tagmanifest-sha256.txt")
    return zipped({name: data for name, data in files.items() if name not in beside})


def grant(turns: Sequence[Turn], expires_at: str, rows_per_partition: int = 1000) -> bytes:
    """The grant that opens all of a sealed bundle."""
    keys = {
        row.record.hex(): base64.b64encode(record_key(bytes.fromhex(EXPORT), row.record, row.row_key)).decode()
        for row in rows_of(turns, rows_per_partition, 3)
    }
    body = {"_": grants.TYPE, "expires_at": expires_at, "export": EXPORT, "issued_at": "2026-11-01T00:00:00Z"}
    text = json.dumps({**body, "keys": keys, "origin": ORIGIN}, sort_keys=True, separators=(",", ":"))
    return notes.sign_note(f"{grants.TYPE}\n{ORIGIN}\n{text}\n", BUNDLE)

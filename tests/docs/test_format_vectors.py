"""docs/FORMAT.md against the code: every vector is computed again, every name that the code writes is there."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.building import _Naming
from ingest.formats import genai, native
from ingest.formats.sealed import BYTES, REFERENCE, Piece, pack_pieces, unpack_pieces
from ingest.job import Job, Portion
from ingest.pipeline import Pipeline
from ingest.rows import Draft
from ledger import (
    canonical,
    commits,
    compression,
    entries,
    kdf,
    merkle,
    notes,
    parquet,
    records,
    segments,
    tiles,
)
from ledger.checkpoints import open_checkpoint
from ledger.create import create
from ledger.history import History
from ledger.kdf import DataKey
from ledger.keyring import tables
from ledger.keyring.identifiers import Identifier, normalise
from ledger.keytree import KeyTree, child
from ledger.partition_reader import PartitionReader
from ledger.proofs import parse_proof
from ledger.settings import load
from ledger.spool import Frame, read_frames
from ledger.store import Store
from replay import access
from replay.catalog import opened as opened_catalog
from reports.bundle import attestation
from reports.bundle.export import ContentGrant, export_bundle
from reports.dsar import clocks, requests, statements
from reports.dsar import plan as plans
from reports.exports import grants, sealed_content
from reports.sampling import drawing as sampling
from reports.sampling import files as sample_files
from reports.selection.predicates import period

ROOT = Path(__file__).parents[2]
FORMAT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
VECTORS = dict(re.findall(r"^```vector ([a-z0-9-]+)\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL))
WORDS = set(re.findall(r"`([^`\n]+)`", FORMAT))


def values(name: str) -> dict[str, str]:
    """The lines ``key = value`` of a vector."""
    pairs = (line.partition(" =") for line in VECTORS[name].splitlines())
    return {key: value.removeprefix(" ") for key, _, value in pairs}


def unescaped(text: str) -> bytes:
    return text.replace("\\n", "\n").encode()


def pieces(text: str) -> list[bytes]:
    return [unescaped(item) for item in text.split(" ")]


def check_source_id() -> None:
    vector = values("source-id")
    owner = "0" * 32
    portion = Portion(owner, 0, owner, "evidence", "lines", "", b"")
    naming = _Naming(Job("2026-11-20T00:00:00Z", "standard", 1, owner, [portion]), [], [])
    naming.keys[owner] = DataKey(1, bytes.fromhex(vector["owner_key"]))
    line = records.read_line(values("record")["line"].encode())
    draft = Draft(0, 0, unescaped(vector["content"]), line, None, (), None, None, vector["position"])

    assert naming.complete(draft).line.source_id == vector["source_id"]


def check_record() -> None:
    vector = values("record")
    line = vector["line"].encode()
    columns = dict(zip(records.DERIVED.names, records.derive([records.read_line(line)]), strict=True))

    assert canonical.encode(records.parse_line(line)) == line
    assert merkle.leaf_hash(line).hex() == vector["leaf"]
    assert str(columns["source_key"][0].as_py()) == vector["source_key"]
    for name in ("occurred_at", "observed_at"):
        assert columns[name][0].as_py().strftime("%Y-%m-%dT%H:%M:%S.%fZ") == vector[name]


def parquet_schema(data: bytes) -> str:
    """The schema of a Parquet file as text, without the line that names the object."""
    return str(pq.ParquetFile(io.BytesIO(data)).schema).partition("\n")[2].strip()


def check_events_parquet() -> None:
    line = values("record")["line"].encode()
    location = [pa.array([number], pa.int32()) for number in (0, 0, 1)]
    columns = [pa.array([line], pa.binary()), *records.derive([records.read_line(line)]), *location]

    assert parquet_schema(parquet.write_events([columns])) == VECTORS["events-parquet"].strip()


def check_content_parquet() -> None:
    data = parquet.write_content([("0" * 32, 1, bytes(12), bytes(16))])

    assert parquet_schema(data) == VECTORS["content-parquet"].strip()


def check_schema() -> None:
    entry = example_history(1).partitions()[0].value

    assert VECTORS["schema"] == records.SCHEMA_TEXT
    assert entries.sha256(VECTORS["schema"].encode()) == records.SCHEMA_SHA256 == entry["schema"]


def opened(vector: dict[str, str], path: str, number: int, owner: str, leaf: bytes) -> segments.Opened:
    context = segments.SegmentId(vector["store"], path, number, owner, int(vector["version"])).context()
    key = segments.segment_key(bytes.fromhex(vector["owner_key"]), leaf, context)
    assert vector.get("context", context.hex()) == context.hex()
    assert vector.get("segment_key", key.hex()) == key.hex()
    sealed = segments.Sealed(bytes.fromhex(vector["nonce"]), bytes.fromhex(vector["ciphertext"]))
    return segments.unseal(key, context, sealed)


def check_segment_key() -> None:
    vector = values("segment-key")
    leaf = bytes.fromhex(vector["leaf_key"])
    found = opened(vector, vector["path"], int(vector["segment"]), vector["owner"], leaf)

    assert found.salt.hex() == vector["salt"]
    assert found.slices == pieces(vector["slices"])


def check_commitment() -> None:
    vector = values("commitment")
    salt, slot, data = bytes.fromhex(vector["salt"]), int(vector["slot"]), unescaped(vector["slice"])

    assert segments.row_key(salt, slot).hex() == vector["row_key"]
    assert segments.Commitments(salt).of(slot, data).hex() == vector["commitment"]


def check_dictionaries() -> None:
    documented = dict(line.split(" = ") for line in VECTORS["dictionaries"].splitlines())

    assert documented == {str(number): name for number, name in compression.DICTIONARIES.items()}
    for number in compression.DICTIONARIES:
        assert compression.dictionary(number).dict_id() == number


def check_key_tree() -> None:
    vector = values("key-tree")
    root = bytes.fromhex(vector["root"])
    punctured = KeyTree.from_root(root, 4).puncture(1)

    assert (child(root, 0).hex(), child(root, 1).hex()) == (vector["left"], vector["right"])
    for name in (name for name in vector if name.startswith("leaf_")):
        index, leaves = name.removeprefix("leaf_").split("_of_")
        assert KeyTree.from_root(root, int(leaves)).leaf(int(index)).hex() == vector[name]
    assert punctured.to_bytes().hex() == vector["four_without_1"]
    assert KeyTree.from_bytes(punctured.to_bytes()) == punctured


def check_input_digest() -> None:
    vector = values("input-digest")
    root = bytes.fromhex(vector["tree_root"])

    assert kdf.input_digest(root, vector["commitments"].split(" ")) == vector["digest"]


def example_history(last: int) -> History:
    history = History()
    for number in range(last + 1):
        history.apply(VECTORS[f"commit-{number}"].encode())
    return history


def check_commit_0() -> None:
    history = example_history(0)
    roles = sorted(sorted(key.roles) for key in history.keys.values())

    assert [entry.value["type"] for entry in history.entries] == ["genesis", "key", "key", "key"]
    assert roles == [["admin"], ["append"], ["erasure", "retention"], ["log"]]


def check_commit_1() -> None:
    commit, _ = commits.parse_commit(VECTORS["commit-1"].encode())
    history = example_history(1)

    assert commit.previous == commits.digest(VECTORS["commit-0"].encode())
    assert history.partitions()[0].value["root"] == values("record")["leaf"]


def check_worked_example() -> None:
    vector = values("worked-example")
    entry = example_history(1).partitions()[0].value
    line = records.parse_line(values("record")["line"].encode())
    root = bytes.fromhex(vector["tree_root"])
    leaf = KeyTree.from_root(root, 1 << 20).leaf(0)
    found = opened(vector, entry["content"]["path"], 0, line["content"]["owner"], leaf)

    assert found.slices == [unescaped(vector["content"])]
    assert segments.Commitments(found.salt).of(0, found.slices[0]).hex() == line["content"]["commitment"]
    assert records.length_class(len(found.slices[0])) == line["content"]["length_class"]
    assert kdf.input_digest(root, [line["content"]["commitment"]]) == entry["inputs"][0]["digest"]


def check_checkpoint() -> None:
    history = example_history(1)
    checkpoint = open_checkpoint(VECTORS["checkpoint"].encode(), history.log_verifiers())

    assert (checkpoint.size, checkpoint.root) == (history.frontier.size, history.frontier.root())


def check_log_key() -> None:
    verifier = notes.Verifier.from_vkey(values("log-key")["vkey"])

    assert example_history(0).log_verifiers() == [verifier]


def check_tile_paths() -> None:
    for line in VECTORS["tile-paths"].splitlines():
        described, _, expected = line.partition(" = ")
        numbers = [int(number) for number in re.findall(r"\d+", described)]
        if described.startswith("level"):
            assert tiles.tile_path(*numbers) == expected
        elif described.startswith("entries"):
            assert tiles.bundle_path(*numbers) == expected
        else:
            assert [tile.path for tile in tiles.edge_tiles(*numbers)] == expected.split(" ")


def check_entry_bundle() -> None:
    vector = values("entry-bundle")

    assert tiles.encode_bundle(pieces(vector["entries"])).hex() == vector["bundle"]


def check_envelope() -> None:
    vector = values("envelope")
    content = bytes.fromhex(vector["content"])
    expected = [
        Piece(1, BYTES, unescaped(vector["piece 1 bytes"])),
        Piece(3, REFERENCE, bytes.fromhex(vector["piece 3 record"])),
    ]

    assert unpack_pieces(content) == expected
    assert pack_pieces(expected) == content


def check_spool_frame(folder: Path) -> None:
    vector = values("spool-frame")
    (folder / f"{vector['spool']}.spool").write_bytes(bytes.fromhex(vector["file"]) + b"cut short")
    frame = Frame(int(vector["number"]), canonical.decode(vector["fields"].encode()), vector["content"].encode())

    assert read_frames(folder, vector["spool"], bytes.fromhex(vector["key"])) == [frame]


def check_identifiers() -> None:
    for line in VECTORS["identifiers"].splitlines():
        given, _, normal = line.rpartition(" = ")
        kind, _, value = given.partition(" ")
        assert normalise(Identifier(kind, value)) == Identifier(kind, normal)


def check_plan() -> None:
    vector = values("plan")
    plan = plans.decode(vector["plan"].encode())

    assert plans.digest(plan) == vector["sha256"]


def check_approval() -> None:
    vector = values("approval")
    text = statements.statement(vector["origin"], vector["request"], vector["plan"])
    verifier = notes.Verifier.from_vkey(vector["vkey"])

    assert text == unescaped(vector["statement"])
    for scheme in (statements.NOTE, statements.SSH):
        statements.verify(text, verifier, scheme, vector[scheme])


def check_sample_key() -> None:
    vector = values("sample-key")
    checkpoint = unescaped(vector["checkpoint"])

    assert sampling.Seed("given", vector["seed"]).key(checkpoint).hex() == vector["seed_key"]
    assert sampling.Seed("nonce", vector["nonce"]).key(checkpoint).hex() == vector["nonce_key"]


def check_sample_allocation() -> None:
    def numbers(text: str) -> dict[str, int]:
        return {name: int(number) for name, number in (item.split(" ") for item in text.split(", "))}

    for line in VECTORS["sample-allocation"].splitlines():
        size, counts, drawn = re.split(" of | = ", line)
        assert sampling.allocate(numbers(counts), int(size)) == numbers(drawn)


def check_sample() -> None:
    """The three files of a sample: the population, how it was drawn, and what was."""
    rows = sample_files.read_population(VECTORS["sample-population"].encode())
    said, listed = VECTORS["sample-json"].removesuffix("\n").encode(), VECTORS["sample-csv"].encode()
    sample = sample_files.redraw(said, listed, rows, unescaped(values("sample-key")["checkpoint"]))

    assert [row.record for row in rows] == [hashlib.sha256(str(number).encode()).digest() for number in range(10)]
    assert sample.seed.text == values("sample-key")["nonce"]


def check_attestation() -> None:
    vector = values("attestation")
    verifier = notes.Verifier.from_vkey(vector["vkey"])
    stated = attestation.open_envelope(vector["envelope"].encode(), [verifier])

    assert stated == attestation.statement(unescaped(vector["manifest"]), json.loads(vector["predicate"]))
    payload = base64.b64decode(json.loads(vector["envelope"])["payload"])
    assert attestation.pae(attestation.PAYLOAD_TYPE, payload).decode() == vector["signed"]


def check_sealed_content() -> None:
    vector = values("sealed-content")
    export, record, row_key, key, sealed = (
        bytes.fromhex(vector[name]) for name in ("export", "record", "row_key", "key", "sealed")
    )

    assert sealed_content.record_key(export, record, row_key) == key
    found = sealed_content.unseal(export, record, key, sealed)
    assert found == (row_key, vector["parts"].encode(), vector["content"].encode())


def check_grant() -> None:
    vector, sealed = values("grant"), values("sealed-content")
    found = grants.read_grant(
        unescaped(vector["note"]),
        [notes.Verifier.from_vkey(vector["vkey"])],
        export=sealed["export"],
        origin="example.com/log",
        now=vector["now"],
    )

    assert found.key(bytes.fromhex(sealed["record"])) == bytes.fromhex(sealed["key"])


CHECKS: dict[str, Callable[..., None]] = {
    "source-id": check_source_id,
    "record": check_record,
    "events-parquet": check_events_parquet,
    "content-parquet": check_content_parquet,
    "schema": check_schema,
    "segment-key": check_segment_key,
    "commitment": check_commitment,
    "dictionaries": check_dictionaries,
    "key-tree": check_key_tree,
    "input-digest": check_input_digest,
    "commit-0": check_commit_0,
    "commit-1": check_commit_1,
    "worked-example": check_worked_example,
    "checkpoint": check_checkpoint,
    "log-key": check_log_key,
    "tile-paths": check_tile_paths,
    "entry-bundle": check_entry_bundle,
    "envelope": check_envelope,
    "spool-frame": check_spool_frame,
    "identifiers": check_identifiers,
    "plan": check_plan,
    "approval": check_approval,
    "sample-key": check_sample_key,
    "sample-allocation": check_sample_allocation,
    "sample-population": check_sample,
    "sample-json": check_sample,
    "sample-csv": check_sample,
    "attestation": check_attestation,
    "sealed-content": check_sealed_content,
    "grant": check_grant,
}


def test_every_vector_has_a_check() -> None:
    assert set(VECTORS) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_code_computes_what_the_document_says(name: str, tmp_path: Path) -> None:
    if name == "spool-frame":
        CHECKS[name](tmp_path)
    else:
        CHECKS[name]()


NAMES = {
    "columns of an events file": records.SCHEMA.names,
    "columns of a content file": records.CONTENT_SCHEMA.names,
    "kinds": records.KINDS,
    "entry types": entries.ROLE_OF,
    "roles of keys": entries.ROLES,
    "tables of the keyring": tables.metadata.tables,
    "statuses": native.STATUSES,
    "decisions": native.DECISIONS,
    "captures": native.CAPTURES,
    "types of a change": native.CHANGE_TYPES,
    "relations": native.RELATIONS,
    "roles of subjects": native.ROLES,
    "regimes": clocks.REGIMES,
    "kinds of requests": requests.KINDS,
    "events of requests": requests.EVENTS,
    "reasons of closing": requests.CLOSING,
    "ways to identify": requests.IDENTIFYING,
    "fields to stratify by": {name.rpartition(".")[2] for name in sampling.FIELDS},
    "GenAI fields": {name for name, _ in genai._CURRENT.values()},
}


@pytest.mark.parametrize("what", NAMES)
def test_every_name_in_the_code_is_documented(what: str) -> None:
    assert set(NAMES[what]) - WORDS == set()


@pytest.mark.parametrize("pattern", [r'RejectedInput\(\s*"([a-z_]+)"', r'warnings\.add\("([a-z_]+)"\)'])
def test_every_reason_and_warning_of_ingest_is_documented(pattern: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "ingest").rglob("*.py"))]
    found = {code for source in sources for code in re.findall(pattern, source)}

    assert len(found) > 3
    assert found - WORDS == set()


def keys_of(value: Any) -> set[str]:
    """All keys of an object and of what is in it; those under ``kinds`` are values."""
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {key for name, item in value.items() if name != "kinds" for key in keys_of(item)}


def export(store: Store, folder: Path) -> None:
    """A bundle of everything, which leaves an entry in the ledger."""
    store.publish()
    with opened_catalog(store) as catalog, (folder / "bundle.zip").open("wb") as out:
        access.record(store, "export", "test", {})
        store.close_spool()
        store.seal()
        grant = ContentGrant(access.record(store, "export", "test", {}))
        export_bundle(store, catalog, period("2026-01-01T00:00:00Z", None), content=grant, out=out)


def test_a_real_bundle_holds_nothing_undocumented(tmp_path: Path) -> None:
    create(str(tmp_path / "store"), tmp_path / "evidence.toml")
    with Store.open(load(str(tmp_path / "evidence.toml"))) as store:
        Pipeline(store).run([str(ROOT / "sample_data" / "logs")])
        export(store, tmp_path)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        names = {re.sub(r"/\d+\.", "/<N>.", name.removeprefix("data/")) for name in archive.namelist()}
        found = keys_of(json.loads(archive.read("data/bundle.json")))
        for name in archive.namelist():
            if name.endswith(".jsonl") and "/context" not in name and "/records" not in name:
                for line in archive.read(name).splitlines():
                    found |= keys_of(json.loads(line))
            if name.endswith(".tlog-proof"):
                found |= keys_of(json.loads(parse_proof(archive.read(name)).extra or b"{}"))

    assert {"selection", "complete_partitions", "ranges", "seq", "row_key", "verbatim", "purpose"} <= found
    assert found - WORDS == set()
    assert names - WORDS - {"tagmanifest-sha256.txt"} == set()


def test_a_real_store_holds_nothing_undocumented(tmp_path: Path) -> None:
    create(str(tmp_path / "store"), tmp_path / "evidence.toml")
    found: set[str] = set()
    with Store.open(load(str(tmp_path / "evidence.toml"))) as store:
        Pipeline(store).run([str(ROOT / "sample_data" / "logs")])
        store.record_access(b"{}", {})
        store.seal()
        export(store, tmp_path)
        for entry in store.history.entries:
            found |= keys_of(entry.value)
        for entry in store.history.partitions():
            for line in PartitionReader(store.objects, entry.value).all_rows(["line"]).column("line").to_pylist():
                found |= keys_of(records.parse_line(line))

    assert {"gen_ai_tool_name", "digest", "spools", "hash", "with_content"} <= found
    assert found - WORDS == set()

"""One store made from the sample logs, bundles exported from it, and an auditor who runs verify.py on them."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from ledger import canonical, notes
from ledger.checkpoints import Checkpoint
from ledger.settings import Settings
from ledger.store import Store
from replay import access
from replay.catalog import opened
from reports.bundle import attestation
from reports.bundle.export import ContentGrant, ExportSummary, Order, export_bundle
from reports.selection.predicates import PeriodSelection, Selection, SessionSelection, period
from reports.standalone import verify
from tests.fixtures_stores import SAMPLE_LOGS, make_installation

Files = dict[str, bytes]
LEAN = Order(frameworks=())
"""Without controls, which take longer than all the rest."""


@dataclass(frozen=True)
class Bank:
    """A store of the sample bank's logs."""

    settings: Settings
    log_vkey: str
    session: str

    @cached_property
    def bundle_key(self) -> notes.Signer:
        """The key that attests to bundles: with it, whatever is forged is found by the proofs alone, or not at all."""
        with Store.open(self.settings) as store:
            return store.signer("bundle")

    def export(
        self,
        selection: Selection,
        *,
        with_content: bool = False,
        pinned: Checkpoint | None = None,
        order: Order = LEAN,
    ) -> tuple[bytes, ExportSummary]:
        with Store.open(self.settings) as store, opened(store) as catalog:
            grant = ContentGrant(access.record(store, "export", "audit", {})) if with_content else None
            out = io.BytesIO()
            summary = export_bundle(store, catalog, selection, content=grant, out=out, pinned=pinned, order=order)
        return out.getvalue(), summary


def new_bank(folder: Path, *logs: Path) -> Bank:
    """A store with these logs, and a session of several rows that shares its partition with others."""
    installation = make_installation(folder)
    installation.ingest(*logs)
    with installation.open() as store, opened(store) as catalog:
        found = catalog.connection.execute(
            "SELECT session FROM session_parts JOIN partition_list USING (partition) "
            "WHERE session_parts.rows BETWEEN 3 AND partition_list.rows - 1 "
            "ORDER BY session_parts.rows DESC, session LIMIT 1"
        ).fetchone()
    assert found is not None
    return Bank(installation.settings, installation.log_key.vkey, found[0])


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return new_bank(tmp_path_factory.mktemp("bank"), SAMPLE_LOGS)


@pytest.fixture
def fresh_bank(tmp_path: Path) -> Bank:
    """A store that a test may change."""
    return new_bank(tmp_path, SAMPLE_LOGS / "mira")


@pytest.fixture(scope="session")
def morning() -> PeriodSelection:
    """A period that cuts through days, so that partitions are in it in part, by several runs of rows."""
    return period("2026-10-13T09:30:00Z", "2026-10-15T12:00:00Z")


@pytest.fixture(scope="session")
def session_bundle(bank: Bank) -> bytes:
    return bank.export(SessionSelection(bank.session))[0]


@pytest.fixture(scope="session")
def period_bundle(bank: Bank, morning: PeriodSelection) -> bytes:
    return bank.export(morning)[0]


@pytest.fixture(scope="session")
def content_bundle(bank: Bank) -> bytes:
    return bank.export(SessionSelection(bank.session), with_content=True)[0]


@dataclass(frozen=True)
class Verdict:
    code: int
    output: dict[str, Any]

    @property
    def verdicts(self) -> set[str]:
        return {finding["verdict"] for finding in self.output["findings"]}

    @property
    def reasons(self) -> str:
        return " | ".join(f"{finding['object']}: {finding['reason']}" for finding in self.output["findings"])


@pytest.fixture
def audit(tmp_path: Path) -> Callable[..., Verdict]:
    """Run verify.py as an auditor does: isolated, without site packages, in an empty environment."""

    def run(bundle: bytes | Path, *arguments: str) -> Verdict:
        path = bundle if isinstance(bundle, Path) else tmp_path / "bundle.zip"
        if isinstance(bundle, bytes):
            path.write_bytes(bundle)
        command = [sys.executable, "-I", "-S", str(verify.__file__), str(path), "--json", *arguments]
        done = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stderr == "", done.stderr
        return Verdict(done.returncode, json.loads(done.stdout))

    return run


def check(path_or_bytes: bytes, tmp_path: Path, vkey: str) -> verify.Result:
    """The same check in this process, for tests that make hundreds."""
    path = tmp_path / "checked.zip"
    path.write_bytes(path_or_bytes)
    return verify.check(str(path), [verify.parse_key(vkey)])


def unzip(bundle: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezip(files: Files) -> bytes:
    """The files as an archive that is well-formed, whatever is in them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=False) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def described(files: Files) -> dict[str, Any]:
    """What a bundle says of itself."""
    found: dict[str, Any] = json.loads(files["data/bundle.json"])
    return found


def contents_of(files: Files) -> list[bytes]:
    """The contents that a bundle discloses, in its order."""
    found = []
    for line in files["data/content.jsonl"].splitlines():
        item = json.loads(line)
        if "row_key" in item:
            data = files[f"data/content/{item['partition']}.bin"]
            found.append(data[item["offset"] : item["offset"] + item["size"]])
    return found


def fix_up(files: Files, signer: notes.Signer | None = None, **changes: Any) -> Files:
    """What a forger does after a change: state the new sums and sizes, and whatever else the bundle says of itself.

    Whoever has the store's own key for bundles, as ``signer``, attests to the result too.
    """
    fixed = dict(files)
    if changes:
        fixed["data/bundle.json"] = canonical.encode({**described(files), **changes})
    payload = {name: data for name, data in fixed.items() if name.startswith("data/")}
    oxum = f"Payload-Oxum: {sum(map(len, payload.values()))}.{len(payload)}\n".encode()
    if "bag-info.txt" in fixed:
        fixed["bag-info.txt"] = re.sub(rb"Payload-Oxum: .*\n", oxum, fixed["bag-info.txt"])
    fixed["manifest-sha256.txt"] = listed(payload)
    if signer is not None:
        predicate = {
            name: _said(fixed, name) for name in ("checkpoint", "completeness", "content", "origin", "selection")
        }
        statement = attestation.statement(fixed["manifest-sha256.txt"], predicate)
        fixed["attestation.dsse.json"] = attestation.envelope(statement, signer)
    tags = {name: data for name, data in fixed.items() if name not in payload and name != "tagmanifest-sha256.txt"}
    return {**fixed, "tagmanifest-sha256.txt": listed(tags)}


def _said(files: Files, name: str) -> Any:
    try:
        return described(files).get(name)
    except (ValueError, KeyError, AttributeError):
        return None


def listed(files: Files) -> bytes:
    """A manifest of these files."""
    return "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files, key=str.encode)
    ).encode()


def another_key(name: str) -> notes.Signer:
    """A key of the same name that is not the log's."""
    return notes.Signer(name, bytes(range(32)))

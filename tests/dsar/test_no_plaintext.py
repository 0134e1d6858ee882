"""Derived copies hold no plaintext: what a store, its keyring, spool, caches and index have on disk names nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.store import Store
from replay import access, catalog, findings
from replay.mentions import scan
from replay.persons import person_rows
from replay.query import query
from replay.sessions import Filter, find_sessions
from replay.timeline import open_session
from reports.dsar import register
from reports.dsar.mentioned import mentions_of
from reports.dsar.planning import plan_request
from reports.dsar.requests import RequestState
from reports.retention.policy import DEFAULT

WHEN = {"time": "2026-03-01T10:00:00Z"}
CANARIES = (b"nadia@example.org", b"kestrel-canary", b"Nadia Canary", b"Nadia%20Canary")


def files_with(folder: Path, needle: bytes) -> list[str]:
    """Every file under a folder that holds these bytes, in any of the usual encodings."""
    spellings = {needle, needle.lower(), needle.decode().encode("utf-16-le"), needle.hex().encode()}
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(spelling in path.read_bytes() for spelling in spellings)
    ]


def test_nothing_on_disk_names_a_person(
    office: Any, store: Store, opened: Callable[..., RequestState], tmp_path: Path
) -> None:
    office.ingest(
        office.said("nadia", "my word is kestrel-canary", id="n1", session="Nadia Canary calls", **WHEN),
        office.said("emil", "nadia@example.org told me: kestrel-canary", id="e1", **WHEN),
    )
    logs = {path.name for path in office.folder.glob("log-*.jsonl")}
    store.refresh()
    with catalog.opened(store) as listed:
        receipt = access.record(store, "test", "about Nadia Canary", {"user": "nadia@example.org"})
        scan(listed, receipt)
        findings.find(listed, receipt, ["email:nadia@example.org"], None, ["Nadia Canary"])
        for row in find_sessions(listed, Filter()):
            open_session(listed, row.session, receipt)
        state = register.identify(store, opened(), "account", b"nadia@example.org", {"how": "Nadia Canary signed in"})
        mentions = mentions_of(listed, state, receipt, search=True)
        assert mentions
        plan_request(listed, state, DEFAULT, mentions, searched=True)
        assert person_rows(listed, state.subjects)
    query(store, "SELECT * FROM records")
    store.seal()
    store.publish()

    installation = office.installation.config.parent
    written = [str(path.relative_to(installation)) for path in installation.rglob("*") if path.is_file()]
    kinds = ("catalog.duckdb", "keyring.db", "mentions", ".parquet", "ledger/commit")
    assert all(any(kind in name for name in written) for kind in kinds), written
    for canary in CANARIES:
        found = [name for name in files_with(installation, canary) if Path(name).name not in logs]
        assert found == [], canary


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"...nadia@example.org...")
    (tmp_path / "wide").write_bytes("nadia@example.org".encode("utf-16-le"))
    assert files_with(tmp_path, CANARIES[0]) == ["plain", "wide"]
    with pytest.raises(AssertionError):
        assert files_with(tmp_path, CANARIES[0]) == []

"""A store that was put back to an older copy: writers add nothing to it, as the publisher signs nothing over it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger import entries
from ledger.errors import PublisherRefusedError
from ledger.keyring.publication import PublicationState
from ledger.log import LogReader, LogWriter
from ledger.store import load_signer


def test_nothing_is_committed_to_a_store_that_was_rolled_back(installation: Any, tmp_path: Path) -> None:
    """Also without the log key: what was published is remembered by the keyring."""
    writer = replace(installation, settings=installation.settings.model_copy(update={"log_key": None}))
    shutil.copytree(installation.folder, tmp_path / "old")
    with installation.open() as store:
        store.append([("heartbeat", {"number": 1})])
        store.publish()
    shutil.rmtree(installation.folder)
    shutil.copytree(tmp_path / "old", installation.folder)
    with writer.open() as store:
        store.record_access(b"looked", {})
        with pytest.raises(PublisherRefusedError, match="was published before"):
            store.seal()
        assert store.waiting() == 1, "what waits is kept"
        assert store.history.seq == 0


def test_nothing_is_committed_to_another_history_of_the_same_length(installation: Any, tmp_path: Path) -> None:
    shutil.copytree(installation.folder, tmp_path / "old")
    with installation.open() as store:
        store.append([("heartbeat", {"number": 1})])
        store.publish()
        signed = PublicationState(store.keyring, store.history.origin).read()
    shutil.rmtree(installation.folder)
    shutil.copytree(tmp_path / "old", installation.folder)
    with installation.open() as store:
        LogWriter(store.objects, LogReader(store.objects), [load_signer(store.settings.writer_key)]).append(
            [entries.encode("heartbeat", {"number": 2})]
        )
        assert signed is not None
        with pytest.raises(PublisherRefusedError, match="not the one"):
            store.append([("heartbeat", {"number": 3})])
        assert store.history.seq == signed.seq


def test_what_another_process_publishes_stops_no_writer(installation: Any) -> None:
    with installation.open() as one, installation.open() as two:
        for number in range(3):
            for store in (one, two):
                store.append([("heartbeat", {"number": number})])
                store.publish()

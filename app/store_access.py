"""Opening the store that the configuration names: once for the process, for one interaction at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from ledger.errors import EvidenceError
from ledger.settings import Settings, load
from ledger.store import Store
from replay import catalog
from replay.catalog import Catalog


class _Shared:
    """One open store and the lock that an interaction holds: neither a store nor the catalog serves two threads."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lock: Final = threading.RLock()

    def close(self) -> None:
        with self.lock:
            self.store.close()


def settings() -> Settings:
    """The settings that EVIDENCE_CONFIG and EVIDENCE_STORE name, as on the command line. Raises ConfigError."""
    return load(None, os.environ.get("EVIDENCE_STORE") or None)


@contextmanager
def opened() -> Iterator[Catalog]:
    """The store and its catalog, as of now, for this interaction alone. Raises EvidenceError.

    Take what is to be shown out of it and draw afterwards: whoever else uses the app waits meanwhile.
    """
    shared = _shared(settings())
    with shared.lock:
        try:
            shared.store.refresh()
        except EvidenceError:
            # It may have been replaced by another store, which the next interaction opens.
            _shared.clear()
            raise
        with catalog.opened(shared.store) as listed:
            yield listed


@st.cache_resource(
    max_entries=4, show_spinner=False, on_release=_Shared.close, hash_funcs={Settings: Settings.model_dump_json}
)
def _shared(found: Settings) -> _Shared:
    return _Shared(Store.open(found))

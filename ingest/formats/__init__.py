"""Where each source's bytes are understood: once to describe them at ingest, once to render them at replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from ingest.formats.base import Format
from ledger.errors import UnverifiableError

_PLACES: dict[str, str] = {
    "evidence": "native:FORMAT",
    "litellm": "litellm:FORMAT",
    "litellm_spend": "litellm_spend:FORMAT",
    "otlp": "otlp:FORMAT",
    "tau2": "tau2:FORMAT",
    "tau_bench": "tau_bench:FORMAT",
    "github": "github:FORMAT",
    "mlflow": "mlflow:FORMAT",
    "access": "access:FORMAT",
    "note": "note:FORMAT",
    "envelope": "sealed:ENVELOPE",
    "rejected": "sealed:REJECTED",
}


class _Registry(Mapping[str, Format]):
    """Adapters by name. A module is imported when it is first asked for: most commands need one or none."""

    def __init__(self) -> None:
        self._loaded: dict[str, Format] = {}

    def __getitem__(self, name: str) -> Format:
        found = self._loaded.get(name)
        if found is None:
            module, _, attribute = _PLACES[name].partition(":")
            found = self._loaded[name] = getattr(import_module(f"ingest.formats.{module}"), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


FORMATS: Mapping[str, Format] = _Registry()


def by_adapter(adapter: str) -> Format:
    """The adapter that a record line names, for example ``litellm/1``.

    Raises UnverifiableError where this release does not know it: the bytes can be checked, their meaning not.
    """
    found = FORMATS.get(adapter.partition("/")[0])
    if found is None or found.adapter != adapter:
        raise UnverifiableError(
            f"No adapter {adapter!r} in this release.", hint="Read the record with the release that ingested it."
        )
    return found

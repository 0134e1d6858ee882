"""What was found in samples, kept: a record of the store's own words for each evaluation, and reading them again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ledger import canonical
from ledger.access import Receipt
from ledger.errors import FormatError
from ledger.recording import ADAPTER, SOURCE, NewRecord, Recorded, record, words
from ledger.store import Store
from replay import access
from replay.catalog import Catalog
from reports.sampling.drawing import Sample
from reports.sampling.evaluation import Evaluation

ABOUT: Final = "sample"


class Kept(NamedTuple):
    """An evaluation as it was recorded. ``said`` is empty where the content cannot be opened: ``state`` says why."""

    record: str
    at: str
    state: str
    said: dict[str, Any]


def put_on_record(
    store: Store, sample: Sample, evaluation: Evaluation, bundle: Mapping[str, str | int], why: str | None
) -> Recorded:
    """Seal the result as a ``review`` record, whose words only a reader with the keyring opens.

    ``bundle``: its ``sha256`` where it is one file, ``origin`` and ``checkpoint_size``. The line says that a sample was
    looked at and by whom (a reference), ``flagged`` where there were exceptions; it names none of the records.
    """
    content = words(
        about=ABOUT,
        bundle=dict(bundle),
        evaluation=msgspec.to_builtins(evaluation),
        replacements=[item.as_json() for item in sample.replacements],
        sampling={"seed": sample.seed.as_json(), "size": sample.size, "stratify": sample.field},
        **({} if why is None else {"why": why}),
    )
    # Under a key of its own: no erasure of a person takes the result away.
    owner = secrets.token_hex(16)
    fields: dict[str, Any] = {
        "kind": "review",
        "source_id": f"{owner}/{ABOUT}",
        "subjects": {"reviewer": [access.operator(store)]},
    }
    if evaluation.exceptions:
        fields["decision"] = "flagged"
    return record(store, [NewRecord(fields, content, owner)])


def results(catalog: Catalog, receipt: Receipt) -> Iterator[Kept]:
    """Every recorded evaluation, in the order of the log. Raises what revealing content raises."""
    for entry in catalog.partitions():
        if "review" not in entry.value["kinds"]:
            continue
        rows = [row for (row,) in catalog.connection.execute(_ROWS, _parameters(catalog, entry.value)).fetchall()]
        for item in catalog.store.reveal(receipt, entry.value, rows, catalog.mirror.path(entry.value)) if rows else ():
            yield Kept(item.record.hex(), item.line["occurred_at"], item.state, _read(item.bytes))


_ROWS: Final = """
SELECT file_row_number
FROM (SELECT *, decode(line)::JSON AS json FROM read_parquet($path, file_row_number = true))
WHERE kind = 'review' AND source = $source AND json->>'$.adapter' = $adapter
    AND ends_with(json->>'$.source_id', $about)
ORDER BY file_row_number
"""


def _parameters(catalog: Catalog, entry: Mapping[str, Any]) -> dict[str, str]:
    path = str(catalog.mirror.path(entry))
    return {"path": path, "source": SOURCE, "adapter": ADAPTER, "about": f"/{ABOUT}"}


def _read(content: bytes | None) -> dict[str, Any]:
    try:
        found = {} if content is None else canonical.decode(content)
    except FormatError:
        return {}
    return {name: value for name, value in found.items() if name not in ("_", "about")}

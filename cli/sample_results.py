"""``evidence sample results``: what was found in samples, as it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import emit, note, table

if TYPE_CHECKING:
    from reports.sampling.results import Kept

EXAMPLE = "Example: evidence sample results --purpose 'audit 2026-11'"


def results(
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the evaluations that were sealed with --record. Writes an access record first."""
    from replay import access, catalog
    from reports.sampling.results import results as recorded

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        receipt = access.record(opened, "sample results", purpose, {"words": "of all evaluations of samples"})
        found = list(recorded(listed, receipt))
    if json:
        emit("sample/results", {"results": [item._asdict() for item in found]})
    elif found:
        headers = ("TIME (UTC)", "RECORD", "BUNDLE (SHA-256)", "LOOKED AT", "OF", "EXCEPTIONS", "AT MOST", "WORDS")
        table(headers, map(_row, found))
    else:
        note("no evaluation is recorded")


def _row(item: Kept) -> tuple[str, ...]:
    from cli.sample_evaluate import in_percent
    from replay.visible import one_line

    at, said = item.at[:19].replace("T", " "), item.said
    if not said:
        return at, item.record[:12], "", "", "", "", "", f"content {item.state}"
    judged = said["evaluation"]
    exceptions = ", ".join(f"{each['record'][:12]} {each['code']}" for each in judged["exceptions"])
    bound = f"{in_percent(judged['upper'])} % at {judged['confidence']} %"
    numbers = str(judged["tested"]), str(judged["population"]), exceptions or "none", bound
    words = said["bundle"].get("sha256", "-")[:12], *numbers, said.get("why", "")
    return at, item.record[:12], *map(one_line, words)

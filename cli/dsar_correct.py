"""``evidence dsar correct``: a correction beside the record that it puts right (GDPR, Article 16)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import emit, say

EXAMPLE = "Example: evidence dsar correct 8d54e3784c5d --text 'The limit is yearly.' --reason inaccurate"


def correct(
    record: Annotated[str, typer.Argument(help="A record's id, or its first 6 or more digits.")],
    reason: Annotated[str, typer.Option(help="Why, as a code: inaccurate, incomplete, and so on.")],
    text: Annotated[str | None, typer.Option(help="What is right instead.")] = None,
    file: Annotated[Path | None, typer.Option(help="The same from a UTF-8 file.")] = None,
    request: Annotated[str | None, typer.Option(help="The request for rectification that it carries out.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Record a correction. The corrected record stays as it is; replay shows the two together.

    The words are sealed under the key of whoever owns the corrected record, and go with it when that is erased.
    """
    from replay import catalog
    from replay.records import find_record
    from reports.corrections import correct as make
    from reports.dsar.requests import find_request

    words = _words(text, file)
    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        found = None if request is None else find_request(opened, request)
        place = find_record(listed, record)
        done = make(opened, listed, place, words, reason, found)
        opened.publish()
    (made,) = done.record_ids
    if json:
        emit("dsar/correct", {"record": made, "corrects": place.record_id, "entry": done.entries[0].index})
        return
    say(f"record {made[:12]} corrects {place.record_id[:12]}")


def _words(text: str | None, file: Path | None) -> str:
    from ledger.errors import UsageError

    if (text is None) == (file is None):
        raise UsageError("a correction takes either --text or --file")
    if file is None:
        return text or ""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8") from None
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None

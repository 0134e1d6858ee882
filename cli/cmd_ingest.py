"""``evidence ingest``: take in logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, settings_of, store_of
from cli.output import count, emit, note, progress, say, size

if TYPE_CHECKING:
    from ingest.pipeline import Summary

EXAMPLE = "Example: evidence ingest ./logs 's3://gateway/2026-11-*/*.jsonl'"


def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, patterns, fsspec URLs.")],
    format_: Annotated[str, typer.Option("--format", help="A format's name, or auto.")] = "auto",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Seal inputs into the store. The same input again changes nothing; a grown one goes on where it stopped."""
    from ingest.pipeline import Pipeline
    from ledger.errors import StorageError

    with store_of(config, store) as opened, progress("ingesting") as update:
        if opened.waiting():
            opened.seal()

        def show(done: int, records: int) -> None:
            update(f"{size(done)}, {count(records, 'record')}")

        summary = Pipeline(opened, show).run(paths, None if format_ == "auto" else format_)
        checkpoint = opened.publish()
        published = checkpoint.size if checkpoint else None
    mentions = _scan(config, store)
    if json:
        emit("ingest", {**as_json(summary), "checkpoint_size": published, "mentions": mentions})
    else:
        _print(summary)
        if mentions is not None:
            say(f"Found {count(mentions, 'mention')}.")
    if summary.own_files:
        note(f"{count(summary.own_files, 'file')} of the store itself left out: keys and evidence are no inputs")
    for problem in summary.unreadable.values():
        note(problem)
    if summary.unreadable:
        note(f"{count(len(summary.unreadable), 'input')} not read to the end; all others are committed")
        raise typer.Exit(StorageError.exit_code)


def _scan(config: str | None, store: str | None) -> int | None:
    """Where the settings ask for it, the mentions found in what came in; it is committed whatever happens here."""
    if settings_of(config, store).mentions != "ingest":
        return None
    from cli.cmd_mentions import scan_all
    from replay import catalog

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        return scan_all(opened, listed).mentions


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary's fields."""
    return {
        "inputs": summary.inputs,
        "unchanged_inputs": summary.unchanged,
        "bytes": summary.bytes,
        "records": summary.records,
        "partitions": summary.partitions,
        "already_known_records": summary.known,
        "kinds": dict(summary.kinds),
        "rejected": dict(summary.rejected),
        "input_refs": summary.refs,
        "unchanged_not_understood": summary.not_understood,
        "unchanged_with_ended_content": summary.ended,
        "unreadable": summary.unreadable,
        "own_files_left_out": summary.own_files,
    }


def _print(summary: Summary) -> None:
    if summary.unchanged == summary.inputs:
        if summary.inputs:
            say(f"Nothing changed: the store has {count(summary.inputs, 'input')} already.")
        _print_unchanged(summary)
        return
    say(f"Sealed {count(summary.records, 'record')} ({size(summary.bytes)}) from {count(summary.inputs, 'input')}.")
    for kind, number in sorted(summary.kinds.items()):
        say(f"  {kind:<12}{number:>10,}")
    if summary.unchanged:
        say(f"{count(summary.unchanged, 'input is', 'inputs are')} in the store already, unchanged.")
    _print_unchanged(summary)
    if summary.known:
        say(f"{count(summary.known, 'record')} had been sealed before: referenced, not sealed again.")
    for reason, number in sorted(summary.rejected.items()):
        note(f"rejected: {count(number, 'document')} ({reason}); their bytes are sealed all the same")


def _print_unchanged(summary: Summary) -> None:
    if summary.ended:
        note(
            f"{count(summary.ended, 'input is', 'inputs are')} known by what is left: content was erased, expired or "
            "redacted, and is not taken in again."
        )
    if summary.not_understood:
        note(
            f"{count(summary.not_understood, 'input is', 'inputs are')} in the store only as `rejected`: sealed, not "
            "understood. Bytes are sealed once, so --format does not read them again."
        )

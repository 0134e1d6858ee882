"""``evidence verify``: is the store unchanged since ingest, and is all of it there?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from cli.options import ConfigOption, JsonOption, StoreOption
from cli.output import count, emit, note, progress, say, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.decryption import Decryptor
    from ledger.notes import Verifier
    from ledger.settings import Settings
    from ledger.verify import Pin, Report

EXAMPLE = "Example: evidence verify --level deep --pin /safe/evidence-pin.json --strict"


def verify(
    level: Annotated[Literal["head", "fast", "deep"], typer.Option(help="How much is read.")] = "fast",
    pin: Annotated[Path | None, typer.Option(help="The last verified checkpoint, kept outside the store.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="The log's public key (vkey), or a file with it.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 6 where stale or unpinned; make no pin.")] = False,
    incremental: Annotated[
        int, typer.Option(min=1, metavar="N", help="Read what is new, and one Nth of the rest in turn.")
    ] = 1,
    update_pin: Annotated[bool, typer.Option(help="Move the pin forward where nothing is wrong.")] = True,
    content: Annotated[bool, typer.Option(help="Open content at level deep.")] = True,
    record: Annotated[bool, typer.Option("--record", help="State this run in the ledger, for reports.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Verify the store. Exit codes: 0 intact, 1 tampered, 2 usage, 3 unverifiable, 4 nothing there, 5 lost, 6 stale."""
    from datetime import timedelta

    from cli.verify_record import record_run
    from ledger.clock import utc_now
    from ledger.errors import UsageError
    from ledger.objects import open_objects
    from ledger.verify import Options, Verdict
    from ledger.verify import pin as pins
    from ledger.verify import verify as run

    begun_at = utc_now()
    settings = _settings(config, store, key, pin)
    if record and settings is None:
        raise UsageError("--record writes into the store, and needs its settings", hint="Name them with --config.")
    pin_path = pin or (settings.pin if settings else None)
    known = pins.load(pin_path) if pin_path else None
    trusted = _trusted(key, settings, pinned=pin is not None and known is not None)
    _check_same_log(known, trusted)
    url = settings.store if settings else str(store)
    opener, unrecorded = _decryptor(settings, url) if content and level == "deep" else (None, "")
    with progress("verifying") as update:
        options = Options(
            level=level,
            trusted=trusted,
            pin=known,
            strict=strict,
            max_age=timedelta(hours=settings.max_age_hours if settings else 48),
            fraction=incremental,
            workers=max(settings.workers, 1) if settings else 2,
            open_decryptor=opener,
            endpoint=settings.s3_endpoint if settings else None,
            progress=lambda done, total: update(f"{done} of {count(total, 'partition')}"),
        )
        objects = open_objects(url, read_only=True, endpoint=options.endpoint)
        report, next_pin = run(objects, options)
    if unrecorded:
        report.add(Verdict.UNVERIFIABLE, "spool", f"no content was opened: {unrecorded}")
        next_pin = None
    written = next_pin is not None and update_pin and _keep(pin_path, next_pin, report, first=known is None)
    entry = record_run(settings, report, begun_at) if record and settings else None
    if json:
        kept = {"path": str(pin_path), "found": known is not None, "written": written} if pin_path else None
        emit("verify", {**report.as_json(), "pin": kept, "entry": entry})
    else:
        _print(report, url)
        if entry is not None:
            say(f"  recorded    ledger entry {entry}")
    raise typer.Exit(report.exit_code)


def _keep(path: Path | None, pin: Pin, report: Report, *, first: bool) -> bool:
    """Move the pin forward; whether it did. Under --strict none is made: it would vouch for what it was made from."""
    if path is None:
        return False
    if first and report.strict:
        note(f"  note: no pin at {path}: a run under --strict makes none")
        return False
    _save(path, pin, report)
    if first:
        note(f"  note: no pin at {path}: this run wrote one")
    return True


def _save(path: Path, pin: Pin, report: Report) -> None:
    """Move the pin forward. Raises ConfigError: a pin that silently stays behind would go unnoticed."""
    from ledger.errors import ConfigError
    from ledger.verify import pin as pins

    try:
        pins.save(path, pin)
    except OSError as error:
        raise ConfigError(
            f"the store is {report.verdict}, but the pin {path} cannot be written: {error.strerror}",
            hint="Name a pin that can be written with --pin, or use --no-update-pin.",
        ) from None


def _settings(config: str | None, store: str | None, key: list[str] | None, pin: Path | None) -> Settings | None:
    """The settings, or None where a key or pin and a store make them unnecessary."""
    from cli.options import settings_of
    from ledger.errors import ConfigError

    try:
        return settings_of(config, store)
    except ConfigError:
        if store is not None and config is None and (key or pin):
            return None
        raise


def _trusted(key: list[str] | None, settings: Settings | None, *, pinned: bool) -> list[Verifier]:
    """Keys given on the command line; else, unless the pin that was given brings one, the one beside the settings."""
    from cli.keys import read_vkey

    if key:
        return [read_vkey(item) for item in key]
    if pinned or settings is None or settings.log_vkey is None:
        return []
    return [read_vkey(str(settings.log_vkey))]


def _check_same_log(pin: Pin | None, trusted: list[Verifier]) -> None:
    """A pin brings a key of its own: it must not stand in for another that was given. Raises UnverifiableError."""
    from ledger.errors import UnverifiableError

    if pin is not None and trusted and pin.vkey not in {verifier.vkey for verifier in trusted}:
        raise UnverifiableError("the pin is not signed by the key that was given", hint="Name the pin of this log.")


def _decryptor(settings: Settings | None, url: str) -> tuple[Callable[[], Decryptor] | None, str]:
    """What opens content, its use recorded first; or None, and why nothing may be opened.

    Keys that cannot be had are for the run itself to report.
    """
    from functools import partial

    from ledger.errors import AccessNotRecordedError, ConfigError, KeyringError
    from ledger.store import open_decryptor
    from replay.access import record_verification

    if settings is None:
        return None, ""
    try:
        record_verification(settings, {"store": url})
    except AccessNotRecordedError as error:
        return None, error.message
    except (ConfigError, KeyringError):
        pass
    return partial(open_decryptor, settings), ""


def _print(report: Report, url: str) -> None:
    from replay.visible import one_line

    label = report.verdict.upper()
    if report.exit_code == 0 and report.grade == "self-signed":
        label += " (UNPINNED)"
    say(f"{label}  {one_line(url)}")
    if report.size:
        say(f"  checkpoint  {report.origin}, {count(report.size, 'entry', 'entries')}, assurance: {report.grade}")
    if report.last_commit_at:
        say(f"  last commit {report.last_commit_at}")
    checked = [_covered(name, number) for name, number in report.covered.items() if number]
    say(f"  covered     level {report.level}: {', '.join(checked) or 'nothing'}")
    for what, rows in report.explained.items():
        say(
            f"  {what:<11} {count(rows, 'content')}, each explained by {_entries(report.explained_by.get(what, set()))}"
        )
    for finding in report.findings:
        row = f", row {finding.row}" if finding.row is not None else ""
        record = f" (record {finding.record[:12]})" if finding.record else ""
        say(f"  {finding.verdict:<13} {one_line(finding.path)}{row}{record}: {one_line(finding.reason)}")
    if report.suppressed:
        say(f"  and {count(report.suppressed, 'finding')} more")
    for remark in report.notes:
        note(f"  note: {one_line(remark)}")


def _entries(indices: set[int]) -> str:
    """Ledger entries by their index, as long as they are few."""
    if not 0 < len(indices) <= _NAMED:
        return "a ledger entry"
    listed = ", ".join(map(str, sorted(indices)))
    return f"ledger entry {listed}" if len(indices) == 1 else f"one of the ledger entries {listed}"


_NAMED: Final = 12
"""Entries that are named on one line at most."""


def _covered(what: str, number: int) -> str:
    """A number with what it counts, of which the plural is known: ``1 partition in the ledger``."""
    if what.endswith("bytes"):
        return f"{size(number)} of content" if what.startswith("content") else size(number)
    odd = {"consistency proofs": "consistency proof", "tiles and bundles": "tile or bundle"}
    first, *rest = what.split(" ")
    return count(number, odd.get(what, " ".join([first.removesuffix("s"), *rest])), what)

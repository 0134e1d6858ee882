"""``evidence keys rotate``, ``backup``, ``restore``, ``reconcile``: the keyring itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, settings_of, store_of
from cli.output import count, emit, note, progress, say

if TYPE_CHECKING:
    from ledger.key_management.backups import Backup
    from ledger.key_management.drill import Drill
    from ledger.key_management.rotation import Rotated
    from ledger.settings import Settings

ROTATE = "Example: evidence keys rotate"
BACKUP = "Example: evidence keys backup -o /safe/keyring-2026-11-24.db"
RESTORE = "Example: evidence keys restore /safe/keyring-2026-11-24.db --drill"
RECONCILE = "Example: evidence keys reconcile"

_TABLES = {
    "meta": ("store key",),
    "identifiers": ("identifier",),
    "data_keys": ("data key",),
    "partition_trees": ("partition key",),
    "inputs": ("input",),
    "steps": ("digest of inputs", "digests of inputs"),
    "spools": ("spool key",),
}


def rotate(
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Backup to write [beside the spool].")] = None,
    waiting_days: Annotated[
        int, typer.Option(min=7, max=30, help="AWS KMS alone: days until the old key is deleted.")
    ] = 30,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put the keyring under a new key-encryption key, back it up, open the backup, destroy the old key.

    Backups made before open nothing any more. Run it again after an interruption: it goes on where it stopped.
    """
    from ledger.key_management.rotation import rotate as run

    with store_of(config, store) as opened, progress("rotating"):
        done = run(opened, out, waiting_days)
        opened.publish()
    if json:
        emit("keys/rotate", {**done._asdict(), "backup": _backup_json(done.backup)})
        return
    _print_rotated(done)


def _print_rotated(done: Rotated) -> None:
    ended = ", ".join(map(str, done.ended))
    say(f"Epoch {done.begun} has begun" + (f"; epoch {ended} has ended." if done.ended else "."))
    if done.moved:
        say(f"Wrapped again: {_named(done.moved)}.")
    _print_backup(done.backup)
    if done.depends_on == "operator":
        note("The old key-encryption key is still in the environment of whoever was given it. Take it away everywhere:")
        note("only then do older backups open nothing. The ledger says that it depends on that.")
    else:
        say(f"Older backups open nothing from {done.unreadable_at} on.")


def backup(
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write [beside the spool].")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write the keyring to one file, open it again and compare it. It opens with the key-encryption key alone."""
    from ledger.key_management.backups import default_path, write
    from ledger.store import open_keyring

    settings = settings_of(config, store)
    keyring = open_keyring(settings)
    try:
        made = write(keyring, out or default_path(settings, keyring.epoch))
    finally:
        keyring.close()
    if json:
        emit("keys/backup", _backup_json(made))
        return
    _print_backup(made)
    note("Keep it apart from the key-encryption key. `evidence keys rotate` ends what it can open.")


def _print_backup(made: Backup) -> None:
    say(f"Backup of epoch {made.epoch}: {made.path}")
    say(f"Opened again and compared: {_named(made.opened)}.")


def _backup_json(made: Backup) -> dict[str, Any]:
    return {"path": str(made.path), "epoch": made.epoch, "opened": made.opened}


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup of the keyring.")],
    drill: Annotated[bool, typer.Option("--drill", help="Only try it, in a temporary place.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a keyring; it is kept as a file.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup in the keyring's place. Then run `evidence keys reconcile`: until then nothing is opened.

    With --drill nothing changes: all keys and a sample of content are opened, compared and dropped.
    """
    settings = settings_of(config, store)
    if drill:
        _drill(settings, file, json=json)
        return
    from ledger.key_management.backups import restore as run

    done = run(settings, file, replace=replace)
    if json:
        emit("keys/restore", {"epoch": done.epoch, "rows": done.rows, "kept": done.kept and str(done.kept)})
        return
    say(f"Restored the keyring of epoch {done.epoch}.")
    if done.kept:
        say(f"The one before is kept: {done.kept}")
    say("Now run `evidence keys reconcile`: it destroys again what the ledger says was destroyed since.")


def _drill(settings: Settings, file: Path, *, json: bool) -> None:
    from ledger.errors import ConfigError, KeyringError
    from ledger.key_management.drill import drill
    from replay.access import record_verification

    recorded = True
    try:
        record_verification(settings, {"drill": file.name})
    except (KeyringError, ConfigError):
        recorded = False
    found = drill(settings, file, content=recorded)
    if json:
        emit("keys/restore", {"drill": True, **found._asdict()})
    else:
        _print_drill(found)
    if not recorded:
        note("No content was opened: without a keyring here the access cannot be recorded.")
    if found.content.get("tampered"):
        from ledger.errors import TamperedError

        raise typer.Exit(TamperedError.exit_code)


def _print_drill(found: Drill) -> None:
    say(f"The backup of epoch {found.epoch} opens: {_named(found.opened)}.")
    if found.content:
        states = ", ".join(f"{number:,} {state}" for state, number in found.content.items())
        say(f"Content of {count(found.partitions, 'partition')}, sampled: {states}.")
    if found.content.get("unverifiable"):
        note("unverifiable: the keys were made after the backup.")
    if found.behind:
        note("The ledger has ended keys since: after a restore `evidence keys reconcile` destroys them again.")
    say("Nothing was changed.")


def reconcile(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Destroy in the keyring what the ledger says was destroyed: after a restore, or after an interruption."""
    from ledger.key_management.reconciliation import reconcile as run

    with store_of(config, store) as opened:
        done = run(opened)
    if json:
        emit("keys/reconcile", done._asdict())
        return
    say(f"The ledger has erased {count(done.subjects, 'subject')}.")
    keys = f"{count(done.keys, 'data key')} and {count(done.trees, 'partition key')}"
    say(f"Destroyed here now: {keys}." if done.keys or done.trees else "Nothing of theirs was here any more.")
    if done.without_key:
        note(
            f"{count(done.without_key, 'partition has', 'partitions have')} no key here: their content is lost, unless "
            "a newer backup has it."
        )
    for epoch, when in done.ended.items():
        note(f"Epoch {epoch} of this keyring has ended: from {when} on nothing opens it. Run `evidence keys rotate`.")


def _named(counts: dict[str, int]) -> str:
    return ", ".join(count(number, *_TABLES[name]) for name, number in counts.items() if number and name in _TABLES)

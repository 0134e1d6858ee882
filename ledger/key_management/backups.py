"""Backups of the keyring, and restoring them. None gets its name before it was opened and compared with the keyring."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ledger import kek
from ledger.clock import utc_now
from ledger.durable import make_folder, sync_folder
from ledger.errors import ConfigError, KeyringError, UsageError
from ledger.keyring import copies
from ledger.keyring.engine import exists, open_engine, reading
from ledger.keyring.keyring import Keyring
from ledger.settings import Settings

FOLDER: Final = "keyring-backups"


class Backup(NamedTuple):
    """A backup that was opened again: where it is, its epoch, and how many keys and values of each table opened."""

    path: Path
    epoch: int
    opened: dict[str, int]


class Restored(NamedTuple):
    """What was put in the keyring's place: its epoch, rows by table, and where the keyring that was there is now."""

    epoch: int
    rows: dict[str, int]
    kept: Path | None


def default_path(settings: Settings, epoch: int, what: str = "epoch") -> Path:
    """A new name for a backup beside the spool, in the folder that holds what belongs to this installation."""
    time = "".join(character for character in utc_now() if character.isalnum())
    return settings.spool.parent / FOLDER / f"keyring-{what}-{epoch}-{time}.db"


def write(keyring: Keyring, path: Path) -> Backup:
    """Back a keyring up and open the backup again: every key, compared with the keyring as of the same moment.

    The file is readable by its owner only and gets its name last. Raises UsageError if it exists, KeyringError if what
    was written does not open, or is not what the keyring holds.
    """
    with _new_file(path) as scratch, reading(keyring.engine) as connection:
        copies.write(keyring, connection, scratch)
        different = copies.differences(connection, scratch)
        if different:
            raise KeyringError(f"the backup differs from the keyring in {', '.join(different)}, so it was dropped")
        with opened(scratch, keyring.kek) as copy:
            if copy.store_id != keyring.store_id:
                raise KeyringError("the backup is of another store")
            return Backup(path, copy.epoch, copies.open_everything(copy))


def restore(settings: Settings, backup: Path, *, replace: bool = False) -> Restored:
    """Put a backup in the place of the keyring that the settings name, after every key in it has opened.

    Raises UsageError where there is a keyring and ``replace`` is not given, KeyringError where it is of another store.
    With ``replace`` the keyring that is there is first kept as a file. Whoever has it open goes on with what was
    restored.
    """
    check_readable(backup)
    provider = kek.open_kek(settings.kek)
    with opened(backup, provider) as copy:
        copies.open_everything(copy)
        epoch, store = copy.epoch, copy.store_id
    kept = None
    if exists(settings.keyring):
        engine = open_engine(settings.keyring)
        try:
            known = copies.store_of(engine)
            if known is not None:
                if known != store:
                    raise KeyringError("the backup is of another store than the keyring that is here")
                if not replace:
                    raise UsageError(
                        "there is a keyring already", hint="With --replace it is kept as a file, then replaced."
                    )
                kept = default_path(settings, epoch, "replaced-by-epoch")
                with _new_file(kept) as scratch:
                    copies.write_raw(engine, scratch)
        finally:
            engine.dispose()
    return Restored(epoch, _load(settings, backup), kept)


def _load(settings: Settings, backup: Path) -> dict[str, int]:
    if not exists(settings.keyring):
        file = Path(settings.keyring.removeprefix("sqlite:///"))
        make_folder(file.parent, 0o700)
        kek.write_private(file, b"")
    engine = open_engine(settings.keyring)
    try:
        return copies.load(backup, engine)
    finally:
        engine.dispose()


@contextmanager
def opened(backup: Path, provider: kek.KeyEncryptionKey) -> Iterator[Keyring]:
    """A keyring restored from a backup into a temporary folder; the backup itself is only read."""
    beside = backup.parent if os.access(backup.parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".drill-", dir=beside) as folder:
        file = Path(folder) / "keyring.db"
        shutil.copyfile(backup, file)
        try:
            keyring = Keyring.open(f"sqlite:///{file}", provider)
        except KeyringError as error:
            raise KeyringError(
                f"the backup does not open: {error.message}",
                hint="Its epoch may have ended by a rotation since, or it is of another installation.",
            ) from None
        try:
            yield keyring
        finally:
            keyring.close()


def check_readable(backup: Path) -> None:
    """Raise UsageError for what is no file to read."""
    try:
        with backup.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise UsageError(f"{backup} is no backup of a keyring", hint="`evidence keys backup` writes one.")
    except OSError as error:
        raise UsageError(f"cannot read {backup}: {error.strerror}", hint="Name a backup of the keyring.") from None


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """An empty file beside ``path``, for its owner only, that gets this name, durably, if all goes well."""
    try:
        if os.path.lexists(path):
            raise UsageError(f"{path} exists and is not overwritten", hint="Name another file, or move that one away.")
        make_folder(path.parent, 0o700)
        scratch = path.with_name(f".{secrets.token_hex(8)}.tmp")
        kek.write_private(scratch, b"")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    try:
        yield scratch
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        scratch.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    finally:
        scratch.unlink(missing_ok=True)
        scratch.with_name(f"{scratch.name}-journal").unlink(missing_ok=True)

"""Making a new store: keys, keyring and configuration beside it, the genesis commit in it."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from ledger import entries, kek, notes
from ledger.durable import make_folder, sync_folder, write_synced
from ledger.errors import ConfigError
from ledger.keyring.keyring import Keyring
from ledger.log import LogReader, LogWriter
from ledger.objects import open_objects
from ledger.objects.probe import probe_conditional_put
from ledger.settings import Settings, load
from ledger.store import Store

_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
SUITES: Final = {
    "hash": "SHA-256",
    "signature": "Ed25519",
    "content": "AES-256-GCM, HKDF-SHA256, GGM-SHA256, zstd",
    "record": "evidence/record/1",
}

_ROLES: Final = {
    "writer": ["append"],
    "privacy": ["erasure", "retention"],
    "certificate": ["certificate"],
    "bundle": ["bundle"],
    "log": ["log"],
}


class Created(NamedTuple):
    """What ``create`` made. ``log_vkey`` is what an auditor needs to hold."""

    config: Path
    private: Path
    origin: str
    log_vkey: str


def create(
    location: str,
    config: Path,
    origin: str | None = None,
    endpoint: str | None = None,
    *,
    keyring: str | None = None,
    kek_provider: str | None = None,
) -> Created:
    """A new store at a folder or URL. Raises ConfigError if any of its files exists, UnsafeStoreError by the probe.

    ``keyring``: the URL of an empty database; by default a file beside the configuration. ``kek_provider``: where the
    key-encryption key is; by default a new one in a file there.
    """
    config = config.resolve()
    private = config.parent / f"{config.stem}-private"
    for path in (config, private):
        if path.exists():
            raise ConfigError(f"{path} exists and is not overwritten")
    _check_apart(location, private)
    store_id = secrets.token_hex(16)
    origin = origin or f"evidence.invalid/{store_id}"
    if not _ORIGIN.match(origin):
        raise ConfigError(f"{origin!r} is no origin: a host name and path without scheme, such as logs.example.com/ai")
    objects = open_objects(location, endpoint=endpoint)
    if next(iter(objects.list("")), None) is not None:
        raise ConfigError(f"{location} is not empty")
    probe_conditional_put(objects)
    signers = {
        role: notes.Signer.generate(f"{origin}/{role}")
        for role in ("admin", "writer", "privacy", "certificate", "bundle")
    }
    signers["log"] = notes.Signer.generate(origin)
    _write_private(private, signers, with_kek=kek_provider is None)
    keys = (keyring or f"sqlite:///{private.name}/keyring.db", kek_provider or f"file:{private.name}/kek.key")
    settings = _write_config(config, private, location, endpoint, keys)
    Keyring.create(settings.keyring, kek.open_kek(settings.kek), store_id).close()
    # Before the first commit: a log whose keys a power cut took could never be continued.
    for folder in (private, config.parent):
        sync_folder(folder)
    writer = LogWriter(objects, LogReader(objects), list(signers.values()))
    writer.begin(_first_entries(origin, store_id, signers), origin)
    objects.put_if_absent("evidence.json", entries.canonical_bytes({"_": "evidence/store/1", "origin": origin}))
    with Store.open(settings) as store:
        store.publish()
    return Created(config, private, origin, signers["log"].vkey)


def _first_entries(origin: str, store_id: str, signers: dict[str, notes.Signer]) -> list[bytes]:
    genesis = {"origin": origin, "store": store_id, "suites": SUITES, "admin": signers["admin"].vkey}
    keys = [{"action": "enrol", "vkey": signers[name].vkey, "roles": roles} for name, roles in _ROLES.items()]
    return [entries.encode("genesis", genesis), *(entries.encode("key", key) for key in keys)]


def _check_apart(location: str, private: Path) -> None:
    """Keys inside the store would go wherever the store goes."""
    if location.startswith("file://"):
        # What opens the store knows which folder such a URL names.
        location = unquote(urlsplit(open_objects(location).url).path)
    if "://" not in location and private.is_relative_to(Path(location).resolve()):
        raise ConfigError("the configuration would stand inside the store; use --config to put it elsewhere")


def _write_private(private: Path, signers: dict[str, notes.Signer], *, with_kek: bool) -> None:
    make_folder(private, 0o700)
    if with_kek:
        kek.create_kek_file(private / "kek.key")
    for name, signer in signers.items():
        kek.write_private(private / f"{name}.key", f"{signer.skey()}\n".encode())
    write_synced(private / "log.vkey", f"{signers['log'].vkey}\n".encode())


def _write_config(config: Path, private: Path, location: str, endpoint: str | None, keys: tuple[str, str]) -> Settings:
    store = location if "://" in location else os.path.relpath(Path(location).resolve(), config.parent)
    name = private.name
    lines = [
        "# Settings of this evidence store. Keep the -private folder apart from the store.",
        f"store = {_quote(store)}",
        *([f"s3_endpoint = {_quote(endpoint)}"] if endpoint else []),
        f"keyring = {_quote(keys[0])}",
        f"kek = {_quote(keys[1])}",
        f'writer_key = "{name}/writer.key"',
        f'privacy_key = "{name}/privacy.key"',
        f'certificate_key = "{name}/certificate.key"',
        f'bundle_key = "{name}/bundle.key"',
        f'log_key = "{name}/log.key"',
        f'log_vkey = "{name}/log.vkey"',
        f'spool = "{name}/spool"',
        f'cache = "{name}/cache"',
        f'pin = "{name}/pin.json"',
    ]
    write_synced(config, ("\n".join(lines) + "\n").encode())
    return load(str(config))


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

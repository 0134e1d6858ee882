"""Settings: one frozen object from evidence.toml, overridden by EVIDENCE_* environment variables."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ledger.errors import ConfigError

DEFAULT_CONFIG: Final = "evidence.toml"
_ENVIRONMENT: Final = "EVIDENCE_"


class Settings(BaseModel):
    """Every setting. Relative paths are taken from the folder of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(description="URL or path of the store: file://, s3://bucket/prefix, memory://, or a folder.")
    s3_endpoint: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    keyring: str = Field(description="Database URL of the keyring, for example sqlite:///evidence-private/keyring.db.")
    kek: str = Field(description="Key-encryption key: file:PATH or env:NAME.")
    writer_key: Path = Field(description="File with the key that signs commits.")
    privacy_key: Path | None = Field(default=None, description="File with the key that signs erasures and retention.")
    certificate_key: Path | None = Field(default=None, description="File with the key that signs certificates.")
    log_key: Path | None = Field(default=None, description="File with the key that signs checkpoints; publisher only.")
    log_vkey: Path | None = Field(default=None, description="File with the log's public key, which verify trusts.")
    spool: Path = Field(description="Folder where records wait for sealing; each host has its own.")
    cache: Path = Field(description="Folder of caches that can be deleted at any time.")
    pin: Path = Field(description="File that remembers the last verified checkpoint.")
    seal_rows: int = Field(default=100_000, ge=1, le=500_000, description="Rows after which a partition is sealed.")
    seal_bytes: int = Field(
        default=32 * 1024 * 1024, ge=4096, le=1 << 30, description="Input bytes after which a partition is sealed."
    )
    workers: int = Field(default=2, ge=0, le=64, description="Processes that build partitions; 0: in this process.")
    retention_class: str = Field(
        default="standard", pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="Retention class of what is ingested."
    )
    retention_policy: Path | None = Field(
        default=None, description="Retention policy (TOML): how long content must and may be kept."
    )
    delete_expired: bool = Field(
        default=False, description="Delete content objects of which all has expired, where the store allows it."
    )
    reveal: Literal["spooled", "anchored"] = Field(
        default="spooled", description="anchored: an access record is committed before anything is shown."
    )
    max_age_hours: int = Field(default=48, ge=1, description="Age of the last commit after which verify says stale.")


def load(config: str | None = None, store: str | None = None) -> Settings:
    """The settings of a store. Raises ConfigError naming every place that was looked at.

    Looked up: ``config``, EVIDENCE_CONFIG, evidence.toml in this folder, evidence.toml beside ``store``.
    """
    places = _places(config, store)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ConfigError(f"no configuration found; looked at {', '.join(str(place) for place in places)}")
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from None
    values |= _from_environment()
    if store is not None:
        values["store"] = store
    try:
        return _anchored(Settings(**values), path.parent, given_store=store is not None)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigError(f"{path}: {problems}") from None


def _places(config: str | None, store: str | None) -> list[Path]:
    if config is not None:
        return [Path(config)]
    if os.environ.get("EVIDENCE_CONFIG"):
        return [Path(os.environ["EVIDENCE_CONFIG"])]
    places = [Path(DEFAULT_CONFIG)]
    if store is not None and "://" not in store:
        places.insert(0, Path(store).resolve().parent / DEFAULT_CONFIG)
    return places


def _from_environment() -> dict[str, str]:
    names = set(Settings.model_fields)
    found = {key.removeprefix(_ENVIRONMENT).lower(): value for key, value in os.environ.items() if value}
    return {name: found[name] for name in names & found.keys() if _ENVIRONMENT + name.upper() in os.environ}


def _anchored(settings: Settings, folder: Path, *, given_store: bool) -> Settings:
    """Relative paths made absolute from the configuration's folder (the store's own from where it was given)."""
    folder = folder.resolve()

    def place(path: Path) -> Path:
        return path if path.is_absolute() else folder / path

    changes: dict[str, Any] = {name: place(getattr(settings, name)) for name in ("writer_key", "spool", "cache", "pin")}
    for name in ("log_key", "log_vkey", "privacy_key", "certificate_key", "retention_policy"):
        if getattr(settings, name) is not None:
            changes[name] = place(getattr(settings, name))
    if "://" not in settings.store:
        base = Path.cwd() if given_store or "EVIDENCE_STORE" in os.environ else folder
        changes["store"] = str((base / settings.store).resolve())
    if settings.kek.startswith("file:"):
        changes["kek"] = f"file:{place(Path(settings.kek.removeprefix('file:')))}"
    if settings.keyring.startswith("sqlite:///") and not settings.keyring.startswith("sqlite:////"):
        changes["keyring"] = f"sqlite:///{place(Path(settings.keyring.removeprefix('sqlite:///')))}"
    return settings.model_copy(update=changes)

"""Settings: one frozen object from evidence.toml, overridden by EVIDENCE_* environment variables."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ledger.errors import ConfigError

DEFAULT_CONFIG: Final = "evidence.toml"
_ENVIRONMENT: Final = "EVIDENCE_"


class DetectorPattern(BaseModel):
    """A detector of one's own: what ``pattern`` matches is an identifier of this type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    type: str = Field(pattern=r"^[a-z][a-z0-9_:]{0,63}$")
    pattern: str = Field(min_length=1, max_length=1000)


class PresidioDetector(BaseModel):
    """Presidio's recognisers of these entities, such as US_SSN, without a model; the extra ``presidio``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    engine: Literal["presidio"]
    entities: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")], ...] = Field(min_length=1)


BuiltInDetector = Literal["email", "phone", "iban", "card"]
_BUILT_IN: Final = frozenset(get_args(BuiltInDetector))


class Settings(BaseModel):
    """Every setting. Relative paths are taken from the folder of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(description="URL or path of the store: file://, s3://bucket/prefix, memory://, or a folder.")
    s3_endpoint: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    keyring: str = Field(
        description="Database URL of the keyring: sqlite:///FILE, or postgresql+psycopg://HOST/NAME where it is shared."
    )
    kek: str = Field(description="Key-encryption key: file:PATH, env:NAME or aws-kms:alias/NAME.")
    writer_key: Path = Field(description="File with the key that signs commits.")
    privacy_key: Path | None = Field(default=None, description="File with the key that signs erasures and retention.")
    certificate_key: Path | None = Field(default=None, description="File with the key that signs certificates.")
    bundle_key: Path | None = Field(default=None, description="File with the key that signs bundles and grants.")
    log_key: Path | None = Field(default=None, description="File with the key that signs checkpoints; publisher only.")
    log_vkey: Path | None = Field(default=None, description="File with the log's public key, which verify trusts.")
    tsa_url: str | None = Field(
        default=None, description="Timestamp authority (RFC 3161, https) that bundles are timestamped by."
    )
    tsa_roots: Path | None = Field(
        default=None, description="PEM file of the root certificates under which timestamps are accepted."
    )
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
    holidays: Path | None = Field(
        default=None, description="File of public holidays, one date a line, for the deadlines of requests."
    )
    frameworks: Path | None = Field(
        default=None, description="Folder of control frameworks of one's own, beside those that are shipped."
    )
    detectors: tuple[BuiltInDetector | DetectorPattern | PresidioDetector, ...] = Field(
        default=("email", "phone", "iban", "card"),
        description="What finds identifiers in content: names of built-in detectors, and own ones as "
        'tables: { name = "customer", type = "user_id", pattern = "HV-[0-9]{6}" } (Rust\'s regex), '
        'or { name = "presidio", engine = "presidio", entities = ["US_SSN", "CRYPTO"] } (the extra `presidio`).',
    )
    mentions: Literal["manual", "ingest"] = Field(
        default="manual", description="ingest: `evidence ingest` ends with a scan for mentions."
    )
    max_age_hours: int = Field(default=48, ge=1, description="Age of the last commit after which verify says stale.")

    @field_validator("detectors", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """From the environment: names with commas between them."""
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @field_validator("detectors")
    @classmethod
    def _once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [item if isinstance(item, str) else item.name for item in value]
        if len(set(names)) < len(names) or {item.name for item in value if not isinstance(item, str)} & _BUILT_IN:
            raise ValueError("each detector has a name of its own")
        return value


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
    optional = (
        "log_key",
        "log_vkey",
        "privacy_key",
        "certificate_key",
        "bundle_key",
        "tsa_roots",
        "retention_policy",
        "holidays",
        "frameworks",
    )
    for name in optional:
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

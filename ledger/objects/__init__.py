"""Object stores: memory, a local folder, an S3 bucket, all with the one contract of ``ledger.objects.base``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, overload
from urllib.parse import unquote

from ledger.errors import ConfigError, StorageError
from ledger.objects.base import (
    AppendObjects,
    DeleteObjects,
    ObjectInfo,
    Objects,
    ReadObjects,
    ReplaceObjects,
    check_prefix,
)
from ledger.objects.probe import probe_conditional_put

__all__ = [
    "AppendObjects",
    "DeleteObjects",
    "ObjectInfo",
    "Objects",
    "ReadObjects",
    "ReplaceObjects",
    "open_deleting",
    "open_objects",
    "probe_conditional_put",
]

_Capability = Literal["Reader", "Objects", "Deleting"]
"""What the class of a store is called behind the store's kind."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ENDPOINT: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._/-]*)?")


@overload
def open_objects(url: str, *, read_only: Literal[False] = False, endpoint: str | None = None) -> Objects: ...


@overload
def open_objects(url: str, *, read_only: Literal[True], endpoint: str | None = None) -> ReadObjects: ...


def open_objects(url: str, *, read_only: bool = False, endpoint: str | None = None) -> Objects | ReadObjects:
    """Open the store at a plain path, ``file:///path``, ``memory://name`` or ``s3://bucket/prefix``.

    Nothing is created or contacted yet. What is opened read-only has no method that writes. ``endpoint`` is the URL
    of an S3 service other than AWS; without it AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL count. Raises ``ConfigError``
    for any other URL, and for one that holds credentials or parameters; the error does not repeat it.
    """
    found: Objects | ReadObjects = _open(url, "Reader" if read_only else "Objects", endpoint)
    return found


def open_deleting(url: str, *, endpoint: str | None = None) -> DeleteObjects:
    """The same store, only to delete from it. Raises as ``open_objects``."""
    found: DeleteObjects = _open(url, "Deleting", endpoint)
    return found


def _open(url: str, what: _Capability, endpoint: str | None) -> Any:
    scheme = _SCHEME.match(url)
    if endpoint is not None and (scheme is None or scheme[1] != "s3"):
        raise ConfigError("an endpoint belongs to a store at s3://")
    if scheme is None and "://" in url:
        raise ConfigError("the URL of a store has one scheme", hint="Use a path, file://, memory:// or s3://.")
    if scheme is None:
        return _open_local(url, what)
    host, _, path = url[scheme.end() :].partition("/")
    match scheme[1]:
        case "file":
            return _open_file(host, path, what)
        case "memory":
            return _open_memory(host, path, what)
        case "s3":
            return _open_s3(host, path, endpoint, what)
        case other:
            raise ConfigError(f"no store can be at {other}://", hint="Use a path, file://, memory:// or s3://.")


def _open_local(path: str, what: _Capability) -> Any:
    from ledger.objects import local

    if not path:
        raise ConfigError("the store has no name")
    try:
        return getattr(local, f"Local{what}")(Path(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError("the path of the store cannot be resolved") from error


def _open_file(host: str, path: str, what: _Capability) -> Any:
    if host not in {"", "localhost"} or not path or "?" in path or "#" in path:
        raise ConfigError("a file URL is file:///path, with nothing before or after the path")
    return _open_local("/" + unquote(path), what)


def _open_memory(host: str, path: str, what: _Capability) -> Any:
    from ledger.objects import memory

    root = f"{host}/{path}".strip("/")
    _check_prefix(root)
    return getattr(memory, f"Memory{what}")(root)


def _open_s3(bucket: str, path: str, endpoint: str | None, what: _Capability) -> Any:
    prefix = path.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            "a store in a bucket is at s3://bucket/prefix, with no credentials in it",
            hint="Give credentials in the environment or in an AWS profile.",
        )
    _check_prefix(prefix)
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise ConfigError("an endpoint is http(s)://host:port, with no credentials in it")
    from ledger.objects import s3

    return getattr(s3, f"S3{what}")(bucket, prefix, endpoint)


def _check_prefix(prefix: str) -> None:
    try:
        check_prefix(prefix)
    except StorageError:
        raise ConfigError("the folder of the store has characters that object names may not have") from None

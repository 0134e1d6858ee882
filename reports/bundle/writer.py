"""Writes the container of bundles and certificates: a BagIt 1.0 bag (RFC 8493) in one zip.

Under ``data/`` stands what is proven or listed for a machine: the payload, whose manifest is what gets signed. Beside
it stand tag files: views for people, and the verifier.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final, Self

from reports.archive import Archive, Digest, Hashed
from reports.document import AsOf
from reports.standalone import verify

PAYLOAD: Final = "data/"
MANIFEST: Final = "manifest-sha256.txt"
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
MAX_CORE: Final = 64 << 20
"""Bytes of the inner archive that a page may carry."""
_DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


class BundleWriter:
    """Takes the payload, then ``seal`` closes it; then tag files; ``finish`` lists them and ends the archive.

    ``core``: keep a second archive of what a page needs to check the bundle, as long as it is small enough.
    """

    def __init__(self, out: BinaryIO, *, core: bool = False) -> None:
        self._archive = Archive(out)
        self._core = _Core() if core else None
        self._payload: dict[str, Digest] = {}
        self._tags: dict[str, Digest] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.without_core()
        self._archive.close()

    def add(self, name: str, data: bytes) -> None:
        """Add a payload file: ``name`` without ``data/``. Raises UsageError for more than an archive holds."""
        with self.open(name) as file:
            file.write(data)

    @contextmanager
    def open(self, name: str) -> Iterator[Hashed]:
        """A payload file to be written piece by piece; one at a time."""
        path = PAYLOAD + name
        with self._archive.open(path) as file:
            if self._core is None:
                yield file
            else:
                with self._core.beside(path, file) as both:
                    yield both
        self._payload[path] = self._archive.files[path]

    def seal(self, as_of: AsOf) -> bytes:
        """Close the payload: write what the bag says of itself, and its manifest, whose bytes are returned."""
        sizes = [digest.size for digest in self._payload.values()]
        info = (
            f"Bag-Software-Agent: evidence {version('evidence-ledger')}\n"
            f"Bagging-Date: {as_of.time[:10]}\n"
            f"External-Identifier: {as_of.origin}@{as_of.size}\n"
            f"Payload-Oxum: {sum(sizes)}.{len(sizes)}\n"
        )
        manifest = _listed(self._payload)
        self.tag("bagit.txt", _DECLARATION)
        self.tag("bag-info.txt", info.encode())
        self.tag(MANIFEST, manifest)
        return manifest

    def tag(self, name: str, data: bytes, *, core: bool = True) -> None:
        """Add a tag file. ``core``: a page needs it too."""
        self._archive.add(name, data)
        self._tags[name] = self._archive.files[name]
        if core and self._core is not None:
            self._core.add(name, data)

    def core(self) -> bytes | None:
        """End the inner archive; its bytes. None where there is none, or it became larger than ``MAX_CORE``."""
        return None if self._core is None else self._core.finish()

    def without_core(self) -> None:
        """Give the inner archive up: there is more in it than a page takes."""
        if self._core is not None:
            self._core.give_up()
        self._core = None

    def finish(self) -> None:
        """List the tag files, and end the archive."""
        self._archive.add(TAG_MANIFEST, _listed(self._tags))
        self._archive.close()

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the archive as far as it is written."""
        return self._archive.digest.sha256

    @property
    def size(self) -> int:
        """Bytes of the archive as far as it is written."""
        return self._archive.digest.size


def add_tools(writer: BundleWriter, readme: bytes) -> None:
    """The tag files that every bag has for whoever checks it: what to read first, and the verifier."""
    writer.tag("README.txt", readme, core=False)
    writer.tag("verify.py", Path(verify.__file__).read_bytes(), core=False)


def _listed(files: dict[str, Digest]) -> bytes:
    """A manifest as RFC 8493, section 2.1.3, has it: sorted by the bytes of the paths."""
    return "".join(f"{files[path].sha256}  {path}\n" for path in sorted(files, key=str.encode)).encode()


class _Core:
    """An archive in memory that ends itself when it becomes too large."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._archive: Archive | None = Archive(self._out)

    @contextmanager
    def beside(self, path: str, file: Hashed) -> Iterator[Hashed]:
        """Writes to a file of both archives; to one alone where this one is given up."""
        if self._archive is None:
            yield file
            return
        with self._archive.open(path) as own:
            yield Hashed(_Both(file, own))  # type: ignore[arg-type]
        self._check()

    def add(self, path: str, data: bytes) -> None:
        if self._archive is not None:
            self._archive.add(path, data)
            self._check()

    def finish(self) -> bytes | None:
        if self._archive is None:
            return None
        self._archive.close()
        return self._out.getvalue()

    def give_up(self) -> None:
        """End the archive: what is left open would write its end when it is collected, to what is closed by then."""
        if self._archive is not None:
            self._archive.close()
        self._archive, self._out = None, io.BytesIO()

    def _check(self) -> None:
        if self._archive is not None and self._archive.digest.size > MAX_CORE:
            self.give_up()


class _Both:
    def __init__(self, first: Hashed, second: Hashed) -> None:
        self._files = (first, second)

    def write(self, data: bytes) -> None:
        for file in self._files:
            file.write(data)

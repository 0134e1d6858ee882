#!/usr/bin/env python3
"""Verify an evidence bundle with nothing but Python (3.8 or later) and its standard library.

    python3 verify.py bundle.zip --key log.vkey        (or the unpacked folder instead of the zip)
    python3 verify.py bundle.zip --pin pin.json

A bundle proves that records are unchanged since they were taken into an evidence store. The chain is

    content --(salted SHA-256)--> record line --(range proof)--> partition root, stated in a ledger entry
            --(inclusion proof)--> root of the log --(Ed25519 signature)--> the key that YOU hold.

What is checked, in this order; read the sections of this file in the same order:

 1. The archive is not hostile: closed list of names, no links, duplicates, encryption, overlaps, hidden data or lies
    about sizes. It is read in place; nothing is unpacked, imported, executed or fetched.
 2. Every file has the size and SHA-256 that manifest.json states, none is missing, none is added.
 3. The checkpoint (a C2SP signed note) is signed by your key, and agrees with your pin if you give one.
 4. Every ledger entry leads to the checkpoint's root (RFC 9162 inclusion proof).
 5. The record lines of each partition lead, with its one range proof, to the root in the partition's entry.
 6. Every record belongs to the selection that the manifest states.
 7. Every disclosed content is the one that its record commits to: SHA-256(row key || bytes).
 8. Of a certificate of erasure: its signature, the plan that it names, the approval by a second person, the entries
    that carried the plan out, and that the log of before is continued.

Trust no key that came with the bundle: whoever forged a bundle would sign it with a key of their own and put that key
inside. Without --key or --pin everything is checked all the same, but the result is "unverifiable". The same holds for
this program: use a copy that you got elsewhere, or compare it with one.

Exit codes: 0 intact, 1 tampered (also: hostile or damaged archive), 2 usage, 3 unverifiable (also: over a limit, see
--max-size), 4 nothing there, 5 lost, 6 stale or unpinned (only with --strict). The worst wins: 1, 5, 3, 4, 6.
No verdict: 70 internal error, 74 the result could not be written, 130 interrupted, 141 the reader of the output left.

Ed25519 (RFC 8032, section 5.1.7) is verified strictly and without the cofactor: S must be below L, the key must be
the one encoding of a point that is not of small order, and [S]B - [k]A must encode to exactly the bytes of R. That is
what OpenSSL accepts, less its non-canonical and small-order keys; a signature made as the standard says always passes.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import contextlib
import hashlib
import json
import os
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, TextIO, Tuple, cast  # noqa: UP035 - Python 3.8 has no tuple[int]

SCHEMA = "evidence/verify-bundle/1"
INTACT, TAMPERED, LOST, UNVERIFIABLE = "intact", "tampered", "lost", "unverifiable"
NOTHING_THERE, STALE, UNPINNED = "nothing there", "stale", "unpinned"
EXIT_CODES = {INTACT: 0, TAMPERED: 1, UNVERIFIABLE: 3, NOTHING_THERE: 4, LOST: 5, STALE: 6, UNPINNED: 6}
INTERNAL_ERROR, OUTPUT_FAILED, INTERRUPTED, READER_GONE = 70, 74, 130, 141
WORST_FIRST = (TAMPERED, LOST, UNVERIFIABLE, NOTHING_THERE, STALE, UNPINNED)
MAX_SIZE = 4 << 30
"""Bytes that all files may have together, unpacked, unless --max-size says otherwise."""


class CheckError(Exception):
    """Something found while checking: a verdict, the file that it is about, and why."""

    def __init__(self, verdict: str, where: str, reason: str) -> None:
        super().__init__(reason)
        self.verdict, self.where, self.reason = verdict, where, reason


class UsageError(Exception):
    """The call itself is wrong: no such file, no valid key or pin."""


class Result:
    """What was found and what was checked, in numbers. ``not_proven`` says in words what the bundle does not show."""

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.findings: list[dict[str, str]] = []
        self.checked: Counter[str] = Counter()
        self.contents: Counter[str] = Counter()
        self.not_proven: list[str] = []
        self.origin, self.size, self.root, self.grade = "", 0, "", ""
        self.statement: dict[str, Any] = {}

    def add(self, verdict: str, where: str, reason: str) -> None:
        """Note a finding."""
        self.findings.append({"verdict": verdict, "object": where, "reason": reason})

    def guard(self, where: str, check: Callable[..., Any], *arguments: Any) -> Any:
        """What ``check`` returns. None, with a finding, if it raises CheckError or meets what has another shape."""
        try:
            return check(*arguments)
        except CheckError as error:
            self.add(error.verdict, error.where, error.reason)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError):
            self.add(TAMPERED, where, "is malformed")
        return None

    @property
    def verdict(self) -> str:
        """The worst verdict. Stale and unpinned count only under --strict."""
        found = {finding["verdict"] for finding in self.findings} - (set() if self.strict else {STALE, UNPINNED})
        return min(found, key=WORST_FIRST.index, default=INTACT)

    @property
    def exit_code(self) -> int:
        """The exit code of the verdict."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "grade": self.grade,
            "checkpoint": {"origin": self.origin, "size": self.size, "root": self.root},
            "checked": self.checked,
            "contents": self.contents,
            "certificate": self.statement,
            "findings": self.findings,
            "not_proven": self.not_proven,
        }


# ---- Ed25519 (RFC 8032): points are extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z

Point = Tuple[int, int, int, int]  # noqa: UP006
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_NEUTRAL: Point = (0, 1, 1, 0)


def _sum(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: Point) -> Point:
    result = _NEUTRAL
    while scalar:
        if scalar & 1:
            result = _sum(result, point)
        point = _sum(point, point)
        scalar >>= 1
    return result


def _encode_point(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode_point(data: bytes) -> Point | None:
    """The point, or None unless ``data`` is the one encoding of a point (RFC 8032, section 5.1.3)."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _decode_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")) or _NEUTRAL


def ed25519_verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (64 bytes) over ``message`` is by ``public_key`` (32 bytes). Strict: see the top."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    point = _decode_point(public_key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= _L or _encode_point(_multiply(8, point)) == _encode_point(_NEUTRAL):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _L
    negative = (_P - point[0], point[1], point[2], _P - point[3])
    return _encode_point(_sum(_multiply(s, _BASE), _multiply(k, negative))) == signature[:32]


# ---- The Merkle tree of RFC 9162, section 2.1


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over at least one leaf hash; an odd last node moves up as it is."""
    level = list(hashes)
    while len(level) > 1:
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Section 2.1.3.2: the root that the audit path leads to, or None if it has a wrong length."""
    inner = (index ^ (size - 1)).bit_length()
    if not 0 <= index < size or len(proof) != inner + _ones(index >> inner):
        return None
    return _climb(leaf, index, inner, proof)


def _ones(number: int) -> int:
    return bin(number).count("1")  # noqa: FURB161 - Python 3.8 has no bit_count


def _climb(node: bytes, index: int, inner: int, path: Sequence[bytes]) -> bytes:
    """Up the tree; from height ``inner`` on along its right border, where every sibling is to the left."""
    for height, sibling in enumerate(path):
        is_left = height < inner and not index >> height & 1
        node = node_hash(node, sibling) if is_left else node_hash(sibling, node)
    return node


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Section 2.1.4.2, for 0 < old < new: whether the tree of size ``new`` continues the one of size ``old``."""
    whole = (old & -old).bit_length() - 1
    inner = (old - 1 ^ (new - 1)).bit_length()
    path = [old_root, *proof] if old == 1 << whole else list(proof)
    if len(path) != 1 + inner - whole + _ones(old - 1 >> inner):
        return False
    index, inner, node = old - 1 >> whole, inner - whole, path[0]
    for height, sibling in enumerate(path[1:]):
        if height >= inner or index >> height & 1:
            node = node_hash(sibling, node)
    return node == old_root and _climb(path[0], index, inner, path[1:]) == new_root


def root_from_subset(size: int, rows: Sequence[int], hashes: Sequence[bytes], proof: Sequence[bytes]) -> bytes | None:
    """The root of a tree of ``size`` from some of its leaves (``rows`` sorted) and one hash for each of the largest
    subtrees that hold none of them, from left to right; None if the proof has too few or too many hashes.
    """
    rest = list(reversed(proof))

    def walk(low: int, high: int, first: int, last: int) -> bytes:
        if first == last:
            return rest.pop()
        if last - first == high - low:
            return root_of(hashes[first:last])
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        cut = bisect.bisect_left(rows, middle, first, last)
        left = walk(low, middle, first, cut)
        return node_hash(left, walk(middle, high, cut, last))

    try:
        root = walk(0, size, 0, len(rows))
    except IndexError:
        return None
    return None if rest else root


# ---- Encodings: each has one accepted spelling. These raise ValueError and the like, which Result.guard reports.


def canonical(data: bytes) -> dict[str, Any]:
    """A JSON object in canonical form: keys sorted, no white space, no floats, no duplicate keys."""
    value = json.loads(data.decode("utf-8"), parse_float=_refuse_number, parse_constant=_refuse_number, parse_int=_int)
    again = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if again.encode("utf-8") != data or not isinstance(value, dict):
        raise ValueError("not in canonical form")
    return value


def _refuse_number(_text: str) -> NoReturn:
    raise ValueError("no floats, and no integers above 2^53")


def _int(text: str) -> int:
    return int(text) if len(text) <= 17 else _refuse_number(text)


def from_base64(text: str) -> bytes:
    """Standard base64 in its canonical spelling."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def from_hex(text: str) -> bytes:
    """32 bytes as lower-case hex."""
    if not re.match(r"[0-9a-f]{64}\Z", text):
        raise ValueError("not a SHA-256")
    return bytes.fromhex(text)


# ---- Keys, notes, checkpoints, pins (C2SP signed-note, tlog-checkpoint)


class Key(NamedTuple):
    """A public key: its name, its 4-byte ID, and 32 bytes of Ed25519."""

    name: str
    key_id: bytes
    public: bytes


def parse_key(text: str) -> Key:
    """``<name>+<key ID in hex>+<base64(0x01 || public key)>``. Raises UsageError."""
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        data = from_base64(encoded)
        expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    except ValueError:
        raise UsageError("not a public key of the form name+ID+base64") from None
    if not name or len(data) != 33 or data[0] != 1 or key_id != expected.hex():
        raise UsageError("the public key is no Ed25519 key, or does not match its own ID")
    return Key(name, expected, data[1:])


class Checkpoint(NamedTuple):
    """A log's size and root, as a note states them; ``text`` is what is signed, ``signatures`` (name, ID, bytes)."""

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: list[tuple[str, bytes, bytes]]

    def signed_by(self, key: Key) -> bool:
        """Whether this key, named as the log, signed. CheckError if it says so and the signature does not verify."""
        return _signed_by(key, self.text, self.signatures, "checkpoint") and key.name == self.origin


def _signed_by(key: Key, text: bytes, signatures: Sequence[tuple[str, bytes, bytes]], where: str) -> bool:
    found = [item for item in signatures if item[:2] == (key.name, key.key_id)]
    if not all(ed25519_verifies(key.public, text, signature) for _, _, signature in found):
        raise CheckError(TAMPERED, where, f"the signature by {key.name} does not verify")
    return bool(found)


def _split_note(data: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """The text of a signed note (C2SP), and its signatures: name, key ID, bytes."""
    text, _, tail = data.rpartition(b"\n\n")
    signatures = []
    for line in tail.decode("utf-8").split("\n")[:-1]:
        dash, name, encoded = line.split(" ")
        blob = from_base64(encoded)
        signatures.append((name, blob[:4], blob[4:]))
        if dash != "\u2014" or not name or len(blob) <= 4:
            raise ValueError("a malformed signature line")
    if not 0 < len(signatures) <= 64 or not tail.endswith(b"\n"):
        raise ValueError("no signed note")
    return text + b"\n", signatures


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Read a signed checkpoint, verifying nothing."""
    text, signatures = _split_note(data)
    origin, size, root = text.decode("utf-8").split("\n")[:3]
    if not re.match(r"[1-9][0-9]{0,17}\Z", size) or len(from_base64(root)) != 32 or not origin:
        raise ValueError("no checkpoint")
    return Checkpoint(origin, int(size), from_base64(root), text, signatures)


class Pin(NamedTuple):
    """A checkpoint that was verified before, and the key of its log: memory that you keep yourself."""

    key: Key
    checkpoint: Checkpoint


def parse_pin(data: bytes) -> Pin:
    """The pin that ``evidence verify --pin`` writes. Raises UsageError."""
    try:
        value = canonical(data[:-1] if data.endswith(b"\n") else data)
        pin = Pin(parse_key(value["vkey"]), parse_checkpoint(value["checkpoint"].encode()))
        if value["_"] != "evidence/pin/1" or not pin.checkpoint.signed_by(pin.key):
            raise ValueError("not signed by its own key")
    except (CheckError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError("not a pin of a known version, signed by its own key") from None
    return pin


# ---- 1. The container: a zip or a folder, read in place

NAME = re.compile(
    r"(?:manifest\.json|SHA256SUMS|README\.txt|verify\.py|checkpoint|log\.vkey|entries\.jsonl|consistency\.json"
    r"|certificate|plan\.json|before|before\.json"
    r"|partitions/(?:0|[1-9][0-9]{0,15})/(?:lines\.ndjson|proof\.json|content\.jsonl)|content/[0-9a-f]{64}\.bin)\Z"
)
"""Every name that a bundle can have: what is not on this list (paths that lead out, other spellings) is refused."""
_CHUNK = 1 << 20
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, struct.error)


class Bundle:
    """The files of a bundle by name with their sizes. Reading raises CheckError for missing or damaged data."""

    def __init__(self, sizes: dict[str, int], opener: Callable[[str], Any]) -> None:
        self.sizes, self._opener = sizes, opener

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """One file for reading."""
        if name not in self.sizes:
            raise CheckError(LOST, name, "is missing from the bundle")
        try:
            with self._opener(name) as file:
                yield cast(BinaryIO, file)
        except _READ_ERRORS as error:
            raise _unreadable(name, error) from None

    def read(self, name: str, limit: int = _CHUNK) -> bytes:
        """A whole small file."""
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CheckError(TAMPERED, name, "is larger than such a file can be")
        return data

    def digest(self, name: str, prefix: bytes = b"") -> tuple[str, int]:
        """SHA-256 (hex) of a prefix and a whole file, and the file's size."""
        found, size = hashlib.sha256(prefix), 0
        with self.open(name) as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                found.update(chunk)
                size += len(chunk)
        return found.hexdigest(), size

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file without their newlines."""
        if self.sizes.get(name, 0) > MAX_LINES_FILE:
            raise CheckError(UNVERIFIABLE, name, "is larger than this program reads")
        with self.open(name) as file:
            for line in iter(lambda: file.readline(MAX_LINE + 2), b""):
                if not line.endswith(b"\n"):
                    raise CheckError(TAMPERED, name, "has a line that is too long, or no newline at its end")
                yield line[:-1]


@contextlib.contextmanager
def open_bundle(path: str, max_size: int) -> Iterator[Bundle]:
    """A bundle whose container is not hostile. Raises UsageError if there is none, CheckError if it is hostile."""
    if _is_there(path, Path.is_dir):
        try:
            sizes = _sizes(_files_in(path), max_size)
        except OSError as error:
            raise _unreadable("bundle", error) from None
        yield Bundle(sizes, lambda name: Path(path, name).open("rb"))  # noqa: SIM115
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        try:
            count = _check_end(file)
            archive = stack.enter_context(zipfile.ZipFile(file))
            if len(archive.infolist()) != count:
                _refuse("an end record that counts other files")
            sizes = _sizes(_files_of(file, archive), max_size)
        except _READ_ERRORS as error:
            raise _unreadable("bundle", error) from None
        yield Bundle(sizes, archive.open)


def _is_there(path: str, test: Callable[[Path], bool]) -> bool:
    """Whether a path is, or is of some sort. What no system can look up, as one of 5,000 characters, is not."""
    try:
        return test(Path(path))
    except (OSError, ValueError):
        return False


def _unreadable(where: str, error: Exception) -> CheckError:
    verdict = UNVERIFIABLE if isinstance(error, OSError) else TAMPERED  # a disk or a permission, not the bundle
    return CheckError(verdict, where, f"cannot be read: {type(error).__name__}")


def _refuse(what: str) -> NoReturn:
    raise CheckError(TAMPERED, "bundle", f"refused as hostile or damaged: {what}")


def _sizes(files: Iterable[tuple[str, int]], max_size: int) -> dict[str, int]:
    """Names that a bundle can have, each once, and sizes within the limit."""
    sizes: dict[str, int] = {}
    for name, size in files:
        if not NAME.match(name) or name in sizes:
            _refuse(f"a second file, or one that no bundle has: {name[:100]!a}")
        sizes[name] = size
    if sum(sizes.values()) > max_size:
        raise CheckError(UNVERIFIABLE, "bundle", f"unpacks to more than {max_size} bytes: see --max-size")
    return sizes


def _files_in(folder: str) -> Iterator[tuple[str, int]]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders + names:
            path = Path(parent, name)
            status, inside = path.lstat(), path.relative_to(folder).as_posix()
            if stat.S_ISREG(status.st_mode):
                yield inside, status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                _refuse(f"{inside[:100]!a} is a link or a special file")


def _raise(error: OSError) -> NoReturn:
    """A folder that cannot be listed is no empty one."""
    raise error


def _check_end(file: BinaryIO) -> int:
    """The end record, before any other reader sees it: at the very end, without zip64. Returns its count of files."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        raise CheckError(NOTHING_THERE, "bundle", "the file is empty")
    file.seek(max(end - 42, 0))
    tail = file.read(42)
    signature, disks, here, count, size, start, comment = struct.unpack("<4sL2H2LH", tail[-22:])
    if signature != b"PK\x05\x06" or comment or disks or here != count or start + size + 22 != end:
        _refuse("no end record at its end, a comment, or data where none may be")
    if count == 0xFFFF or b"PK\x06\x07" in tail[:20] or size > count * 512:
        _refuse("a zip64 record or an outsized directory: a bundle has neither")
    return int(count)


def _files_of(file: BinaryIO, archive: zipfile.ZipFile) -> Iterator[tuple[str, int]]:
    """Names and sizes, after a comparison of every file's own header with the directory."""
    at = slack = 0
    for info in sorted(archive.infolist(), key=lambda item: item.header_offset):
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            _refuse(f"{info.filename} is a link or a special file")
        # 1: encrypted. The other flags that zip has (patches, strong encryption) have no place here either.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & ~0x80E:
            _refuse(f"{info.filename} is encrypted or packed in an unusual way")
        # Deflate cannot expand more than 1032 times; a larger ratio, or a stored file that shrinks, is a lie.
        most = info.compress_size * (1032 if info.compress_type == zipfile.ZIP_DEFLATED else 1)
        if info.file_size > most or not at <= info.header_offset <= at + slack:
            _refuse(f"{info.filename} lies about its size, overlaps another file, or hides data before it")
        at, slack = _end_of(file, info), 16 if info.flag_bits & 8 else 0
        yield info.orig_filename, info.file_size
    if not at <= archive.start_dir <= at + slack:
        _refuse("data between the files and the directory")


def _end_of(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where a file's data ends by its own header, which must agree with the directory."""
    file.seek(info.header_offset)
    signature, _, flags, method, _, name, extra = struct.unpack("<4s3H16s2H", file.read(30))
    if (signature, flags, method) != (b"PK\x03\x04", info.flag_bits, info.compress_type):
        _refuse(f"{info.filename} differs from its own header")
    if extra or info.extra or file.read(name) != info.orig_filename.encode():
        _refuse(f"{info.filename} has another name or extra data in its own header")
    return int(info.header_offset + 30 + name + info.compress_size)


# ---- 2. The manifest and the files that it lists

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
BUNDLE, CERTIFICATE = "evidence/bundle/1", "evidence/certificate/1"
_MAX_MANIFEST = 64 << 20
MAX_LINE = 1 << 16
MAX_LINES_FILE = 1 << 30


def check_files(bundle: Bundle, result: Result) -> dict[str, Any]:
    """Every file against the manifest, which is returned."""
    data = bundle.read(MANIFEST, _MAX_MANIFEST)
    manifest = canonical(data)
    if manifest["_"] not in (BUNDLE, CERTIFICATE):
        raise CheckError(UNVERIFIABLE, MANIFEST, "is not of a version that this program knows")
    sums = {MANIFEST: hashlib.sha256(data).hexdigest()}
    for item in manifest["files"]:
        path = item["path"]
        if not NAME.match(path) or path in sums or path == SUMS:
            raise CheckError(TAMPERED, MANIFEST, "lists a file that a bundle cannot have, or one twice")
        sums[path] = from_hex(item["sha256"]).hex()
        result.guard(path, _check_file, bundle, path, item["size"], sums[path], result)
    for name in sorted(bundle.sizes.keys() - sums.keys() - {SUMS}):
        result.add(TAMPERED, name, "is not listed in the manifest")
    expected = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    if bundle.read(SUMS, _MAX_MANIFEST) != expected:
        result.add(TAMPERED, SUMS, "states other sums than manifest.json")
    return manifest


def _check_file(bundle: Bundle, path: str, size: int, digest: str, result: Result) -> None:
    if bundle.digest(path) != (digest, size):
        raise CheckError(TAMPERED, path, "has another size or SHA-256 than the manifest states")
    result.checked["files"] += 1
    result.checked["bytes"] += size


# ---- 3. The checkpoint, the key that you hold, and your pin


def check_checkpoint(bundle: Bundle, keys: Sequence[Key], pin: Pin | None, result: Result) -> Checkpoint:
    """The checkpoint of the bundle; whether it can be trusted goes into the result."""
    checkpoint = parse_checkpoint(bundle.read("checkpoint"))
    result.origin, result.size, result.root = checkpoint.origin, checkpoint.size, checkpoint.root.hex()
    # Beside a key, a pin is memory and no authority: one handed over with the bundle would bring its forger's key.
    trusted = list(keys) or ([pin.key] if pin else [])
    foreign = pin is not None and pin.key not in trusted
    if foreign:
        result.add(UNVERIFIABLE, "pin", "is not signed by the key that you gave; it counts for nothing")
    if [key for key in trusted if checkpoint.signed_by(key)]:
        result.checked["signatures"] += 1
        result.grade = "signed by the key that you gave"
        if not foreign:
            result.guard("checkpoint", _check_pin, bundle, checkpoint, pin, result)
        return checkpoint
    result.grade = "untrusted"
    if trusted:
        names = ", ".join(sorted({name for name, _, _ in checkpoint.signatures}))
        result.add(UNVERIFIABLE, "checkpoint", f"no key that you gave has signed it; it names as signer: {names}")
        return checkpoint
    reason = "no key or pin was given: a key inside a bundle proves nothing, since a forger would put in their own"
    result.add(UNVERIFIABLE, "checkpoint", reason)
    with contextlib.suppress(UsageError):
        if not checkpoint.signed_by(parse_key(bundle.read("log.vkey").decode("utf-8"))):
            result.add(UNVERIFIABLE, "log.vkey", "is not the key that signed the checkpoint")
    return checkpoint


def _check_pin(bundle: Bundle, checkpoint: Checkpoint, pin: Pin | None, result: Result) -> None:
    if pin is None:
        raise CheckError(UNPINNED, "checkpoint", "no pin was given: a second history would not be noticed")
    old = pin.checkpoint
    if old.origin != checkpoint.origin:
        raise CheckError(UNVERIFIABLE, "checkpoint", "is of another log than the pin")
    if old.size > checkpoint.size:
        raise CheckError(STALE, "checkpoint", "is older than the pin; that both are of one history is not shown")
    if old.size == checkpoint.size:
        if old.root != checkpoint.root:
            raise CheckError(TAMPERED, "checkpoint", "forked: one key signed two histories of the pinned size")
    else:
        _check_consistency(bundle, old, checkpoint)
    result.checked["consistency with the pin"] += 1
    result.grade = "pinned: continues the checkpoint that you verified before"


def _check_consistency(bundle: Bundle, old: Checkpoint, new: Checkpoint) -> None:
    where = "consistency.json"
    proof: dict[str, Any] = canonical(bundle.read(where)) if where in bundle.sizes else {"from": 0}
    if (proof["from"], proof.get("to")) != (old.size, new.size):
        raise CheckError(STALE, "checkpoint", "is newer than the pin; the bundle has no proof that it continues it")
    hashes = [from_hex(item) for item in proof["hashes"]]
    if not is_consistent(old.size, old.root, new.size, new.root, hashes):
        raise CheckError(TAMPERED, where, "does not lead from the pin to the checkpoint")


# ---- 4. Ledger entries


def check_entries(bundle: Bundle, checkpoint: Checkpoint, result: Result) -> dict[int, dict[str, Any]]:
    """The entries that the log is proven to hold, by index."""
    entries: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(bundle.lines("entries.jsonl"), 1):
        where = f"entries.jsonl, line {number}"
        found = result.guard(where, _check_entry, canonical(line), checkpoint, where)
        if found is None:
            continue
        if found[0] in entries:
            raise CheckError(TAMPERED, where, "states an entry twice")
        entries[found[0]] = found[1]
        result.checked["entries"] += 1
    return entries


def _check_entry(item: dict[str, Any], checkpoint: Checkpoint, where: str) -> tuple[int, dict[str, Any]]:
    index, data, hashes = item["index"], from_base64(item["entry"]), [from_hex(text) for text in item["hashes"]]
    if root_from_inclusion(leaf_hash(data), index, checkpoint.size, hashes) != checkpoint.root:
        raise CheckError(TAMPERED, where, "the entry is not in the log that the checkpoint signs")
    if not data.startswith(b'{"_":"evidence/entry/1"'):
        raise CheckError(UNVERIFIABLE, where, "the entry is not of a version that this program knows")
    entry = canonical(data)
    return index, {**entry, "type": str(entry["type"])}


# ---- 5. and 6. Partitions: record lines, their range proof, and the selection


class Record(NamedTuple):
    """What is needed of a record to check its content."""

    row: int
    record_id: str
    commitment: str
    owner: str
    people: set[str]


class Explained(NamedTuple):
    """What entries of the bundle, later than a partition, say of its content.

    ``owners``: whose keys were destroyed. ``erased``: single segments of it were. ``expired``: it was, by a policy.
    ``redacted``: the commitment that holds now, by row. ``restricted``: people whose data is not to be processed.
    """

    owners: set[str]
    erased: bool
    expired: bool
    redacted: dict[int, str]
    restricted: set[str]


def check_partitions(
    bundle: Bundle, manifest: dict[str, Any], entries: dict[int, dict[str, Any]], result: Result
) -> None:
    """Every partition of the bundle, and the contents of its records: of all, or of none, as the manifest says."""
    selection, with_content = manifest["selection"], manifest["with_content"]
    if not isinstance(with_content, bool):
        raise TypeError("with_content is true or false")
    folders = {int(name.split("/")[1]) for name in bundle.sizes if name.startswith("partitions/")}
    partitions = {index: entry for index, entry in entries.items() if entry["type"] == "partition"}
    for index in sorted(folders - partitions.keys()):
        result.add(TAMPERED, f"partitions/{index}", "no entry of the log proves it")
    claimed: set[str] = set()
    for index in sorted(partitions):
        folder = f"partitions/{index}"
        records = result.guard(folder, _check_lines, bundle, index, partitions[index], selection, result)
        if not with_content and f"{folder}/content.jsonl" in bundle.sizes:
            result.add(TAMPERED, f"{folder}/content.jsonl", "is in a bundle that is said to be without content")
        elif records and with_content:
            said = explained(index, [entry for later, entry in sorted(entries.items()) if later > index])
            claimed.update(result.guard(folder, check_contents, bundle, folder, records, said, result) or ())
    for name in sorted(name for name in bundle.sizes if name.startswith("content/") and name not in claimed):
        result.add(TAMPERED, name, "is the content of no record that was checked")


def explained(partition: int, later: Iterable[dict[str, Any]]) -> Explained:
    """What later entries say of a partition's content."""
    owners: set[str] = set()
    restricted: set[str] = set()
    redacted: dict[int, str] = {}
    erased = expired = False
    for entry in later:
        if entry["type"] == "erasure":
            owners.update(entry["subjects"])
            erased |= any(item["partition"] == partition for item in entry.get("segments", ()))
        elif entry["type"] == "retention":
            expired |= any(item["partition"] == partition for item in entry["partitions"])
        elif entry["type"] == "reseal" and entry["partition"] == partition:
            redacted.update({item["row"]: item["commitment"] for item in entry["redacted"]})
        elif entry["type"] == "restriction":
            change = restricted.update if entry["action"] == "restrict" else restricted.difference_update
            change(entry["subjects"])
    return Explained(owners, erased, expired, redacted, restricted)


def _check_lines(bundle: Bundle, index: int, entry: dict[str, Any], selection: Any, result: Result) -> list[Record]:
    where, proof_name = f"partitions/{index}/lines.ndjson", f"partitions/{index}/proof.json"
    leaves = [leaf_hash(line) for line in bundle.lines(where)]
    proof = canonical(bundle.read(proof_name, _MAX_MANIFEST))
    if (proof["_"], proof["entry"], proof["rows"]) != ("evidence/subset-proof/1", index, entry["rows"]):
        raise CheckError(TAMPERED, proof_name, "is not the proof of this partition")
    rows = _rows(proof["ranges"], entry["rows"], len(leaves))
    root = root_from_subset(entry["rows"], rows, leaves, [from_hex(text) for text in proof["hashes"]])
    if root is None or root.hex() != entry["root"]:
        raise CheckError(TAMPERED, where, "the lines do not lead to the root that the log's entry states")
    records = []
    for row, line, leaf in zip(rows, bundle.lines(where), leaves):  # noqa: B905 - not in Python 3.8; there are as many of each
        if not line.startswith(b'{"_":"evidence/record/1"'):
            raise CheckError(UNVERIFIABLE, f"{where}, row {row}", "is no record of a version that this program knows")
        value = canonical(line)
        if not _selected(value, selection):
            result.add(TAMPERED, f"{where}, row {row}", "does not belong to the selection that the manifest states")
        owner, named = value["content"]["owner"], [name for role in value.get("subjects", {}).values() for name in role]
        records.append(Record(row, leaf.hex(), value["content"]["commitment"], owner, {owner, *named}))
    result.checked["partitions"] += 1
    result.checked["complete partitions"] += int(len(rows) == entry["rows"])
    result.checked["records"] += len(rows)
    return records


def _rows(ranges: list[list[int]], size: int, count: int) -> list[int]:
    """The row numbers of ``[[first, number], ...]``: ascending, apart, below ``size``, exactly ``count`` of them."""
    rows: list[int] = []
    end = -1
    for first, number in ranges:
        if number < 1 or first <= end or first + number > size or len(rows) + number > count:
            raise ValueError("other rows than lines")
        rows += range(first, first + number)
        end = first + number
    if len(rows) != count or not count:
        raise ValueError("other rows than lines")
    return rows


def _selected(record: dict[str, Any], selection: dict[str, Any]) -> bool:
    """Whether a record is of the session, or its time lies in [from, to). Without its Z, UTC text sorts as time."""
    if selection["type"] == "session":
        return bool(record.get("session") == selection["session"])
    at, start, end = record.get("occurred_at") or record["observed_at"], selection.get("from"), selection.get("to")
    inside = (start is None or start[:-1] <= at[:-1]) and (end is None or at[:-1] < end[:-1])
    return bool(selection["type"] == "time" and inside)


# ---- 7. Disclosed content


def check_contents(
    bundle: Bundle, folder: str, records: Sequence[Record], said: Explained, result: Result
) -> list[str]:
    """The contents of a partition's records; the names of the files that belong to them."""
    where = f"{folder}/content.jsonl"
    items = [canonical(line) for line in bundle.lines(where)]
    if [(item["row"], item["record"]) for item in items] != [(each.row, each.record_id) for each in records]:
        raise CheckError(TAMPERED, where, "does not list the records of the partition, one by one")
    files = []
    for item, record in zip(items, records):  # noqa: B905 - not in Python 3.8; there are as many of each
        state, name = str(item["state"]), f"content/{record.record_id}.bin"
        result.contents[state] += 1
        if state in ("verified", "redacted"):
            files.append(name)
            commitment = record.commitment if state == "verified" else said.redacted.get(record.row, "")
            result.guard(name, _check_content, bundle, name, item["row_key"], commitment, result)
        elif state not in ("erased", "expired", "restricted"):
            verdict = {"tampered": TAMPERED, "lost": LOST}.get(state, UNVERIFIABLE)
            result.add(verdict, name, f"is not disclosed: the store that exported it found it {state}")
        elif not _says(said, state, record):
            verdict = UNVERIFIABLE if state == "restricted" else LOST
            result.add(verdict, name, f"is said to be {state}, and no entry of the log in the bundle says so")
    return files


def _says(said: Explained, state: str, record: Record) -> bool:
    if state == "erased":
        return record.owner in said.owners or said.erased
    return said.expired if state == "expired" else not said.restricted.isdisjoint(record.people)


def _check_content(bundle: Bundle, name: str, row_key: str, commitment: str, result: Result) -> None:
    if bundle.digest(name, from_hex(row_key))[0] != commitment:
        raise CheckError(TAMPERED, name, "is not the content that the record, or the log's redaction, commits to")
    result.checked["contents"] += 1


# ---- 8. A certificate of erasure: a statement, signed, about entries that the log is proven to hold

_STATEMENT = "evidence/certificate/1"
_APPROVAL = "evidence/approval/1"
_SSH_NAMESPACE, _SSH_KEY = b"evidence-approval", b"ssh-ed25519"


def check_certificate(
    bundle: Bundle, checkpoint: Checkpoint, entries: dict[int, dict[str, Any]], result: Result
) -> None:
    """What a certificate states of plan, approvals and erasure is what the log's entries say."""
    stated = _signed_statement(bundle, checkpoint.origin, entries, result)
    result.statement = stated
    plan = bundle.read("plan.json", _MAX_MANIFEST)
    digest = hashlib.sha256(plan).hexdigest()
    planned = _entry_of(entries, stated["entries"]["planned"], "request", stated["request"])
    if not digest == stated["plan"] == planned["plan"]["blob"]:
        raise CheckError(TAMPERED, "plan.json", "is not the plan that the log and the certificate name")
    result.checked["rows of the plan"] += _check_outcomes(canonical(plan), stated)
    _check_approvals(stated, planned, entries, checkpoint.origin, result)
    _check_acts(stated, entries, result)
    _check_before(bundle, checkpoint, stated, result)


def _signed_statement(
    bundle: Bundle, origin: str, entries: dict[int, dict[str, Any]], result: Result
) -> dict[str, Any]:
    """The statement in ``certificate``: three lines, signed by a key that the log enrols for certificates."""
    text, signatures = _split_note(bundle.read("certificate", _MAX_MANIFEST))
    kind, named, statement = text.decode("utf-8").split("\n")[:3]
    if (kind, named) != (_STATEMENT, origin):
        raise CheckError(
            UNVERIFIABLE, "certificate", "is of another log, or of a version that this program does not know"
        )
    keys = [_key_of(vkey) for vkey in _holders(entries, "certificate", max(entries, default=0) + 1)]
    if not any(_signed_by(key, text, signatures, "certificate") for key in keys):
        raise CheckError(TAMPERED, "certificate", "is signed by no key that the log enrols for certificates")
    result.checked["signatures"] += 1
    stated = canonical(statement.encode())
    if stated["_"] != _STATEMENT or stated["origin"] != origin:
        raise CheckError(TAMPERED, "certificate", "is no statement of this log")
    return stated


def _key_of(vkey: str) -> Key:
    try:
        return parse_key(vkey)
    except UsageError:
        raise CheckError(TAMPERED, "entries.jsonl", "an entry names a key that is none") from None


def _holders(entries: dict[int, dict[str, Any]], role: str, before: int) -> list[str]:
    """The keys that hold a role by the entries before an index."""
    keys: dict[str, list[str]] = {}
    for index in sorted(index for index in entries if index < before):
        entry = entries[index]
        if entry["type"] == "key" and entry["action"] == "enrol":
            keys[entry["vkey"]] = entry["roles"]
        elif entry["type"] == "key":
            keys.pop(entry["vkey"], None)
    return [vkey for vkey, roles in keys.items() if role in roles]


def _entry_of(entries: dict[int, dict[str, Any]], index: int, kind: str, request: str) -> dict[str, Any]:
    entry = entries.get(index)
    if entry is None or entry["type"] != kind or entry.get("request") != request:
        raise CheckError(TAMPERED, "certificate", f"names entry {index}, which is no {kind} entry of this request")
    return entry


def _check_outcomes(plan: dict[str, Any], stated: dict[str, Any]) -> int:
    """The number of rows by outcome and basis is that of the plan."""
    rows = [*plan["rows"], *plan["redactions"]]
    found = Counter((row["outcome"], row["basis"]) for row in rows)
    listed = {(item["outcome"], item["basis"]): item["rows"] for item in stated["outcomes"]}
    if listed != found:
        raise CheckError(TAMPERED, "certificate", "states other outcomes than the plan")
    return len(rows)


def _check_approvals(
    stated: dict[str, Any], planned: dict[str, Any], entries: dict[int, dict[str, Any]], origin: str, result: Result
) -> None:
    """Somebody else than who opened or planned the request has signed the plan, before it was carried out."""
    request, done = stated["request"], stated["entries"]["executed"]
    _entry_of(entries, done, "request", request)
    opened = _entry_of(entries, stated["entries"]["opened"], "request", request)
    own = {
        opened["details"].get("opened_by"),
        planned["details"].get("planned_by"),
        planned["details"].get("signed_by"),
    }
    barred = {_key_of(vkey).public for vkey in own if vkey}
    for index in stated["entries"]["approved"]:
        details = _entry_of(entries, index, "request", request)["details"]
        key = _key_of(details["vkey"])
        text = f"{_APPROVAL}\n{origin}\nrequest {request}\nplan {stated['plan']}\n".encode()
        if not stated["entries"]["planned"] < index < done or details["plan"] != stated["plan"]:
            raise CheckError(TAMPERED, "certificate", f"approval {index} is of another plan, or came too late")
        if details["vkey"] not in _holders(entries, "approver", index) or key.public in barred:
            raise CheckError(TAMPERED, "certificate", f"approval {index} is by no approver apart from who planned")
        if not _approves(details["scheme"], key.public, text, from_base64(details["signature"])):
            raise CheckError(TAMPERED, "certificate", f"approval {index} has a signature that does not verify")
        result.checked["approvals"] += 1
    if not result.checked["approvals"]:
        raise CheckError(TAMPERED, "certificate", "nobody else has approved the plan")


def _approves(scheme: str, public: bytes, text: bytes, kept: bytes) -> bool:
    """Whether a key has signed: as in a note (key ID, signature), or by OpenSSH (PROTOCOL.sshsig)."""
    if scheme == "note":
        return ed25519_verifies(public, text, kept[4:])
    if scheme != "sshsig" or kept[:10] != b"SSHSIG\0\0\0\1":
        return False
    key, namespace, reserved, hash_name, made, end = _strings(kept[10:], 5)
    kind, signature, rest = _strings(made, 2)
    hashed = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}[hash_name](text).digest()
    if end or rest or kind != _SSH_KEY or namespace != _SSH_NAMESPACE or key != _string(_SSH_KEY) + _string(public):
        return False
    signed = b"SSHSIG" + b"".join(_string(item) for item in (namespace, reserved, hash_name, hashed))
    return ed25519_verifies(public, signed, signature)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _strings(data: bytes, count: int) -> list[bytes]:
    """So many length-prefixed strings, and what is left."""
    found = []
    for _ in range(count):
        (length,) = struct.unpack(">I", data[:4].rjust(4, b"\xff"))
        if len(data) < 4 + length:
            raise ValueError("a string is cut short")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return [*found, data]


def _check_acts(stated: dict[str, Any], entries: dict[int, dict[str, Any]], result: Result) -> None:
    """The entries that carried the plan out name it, and the people whom the certificate says were erased."""
    request, named = stated["request"], set()
    for index in stated["entries"]["erasure"]:
        entry = _entry_of(entries, index, "erasure", request)
        if entry.get("plan") != stated["plan"]:
            raise CheckError(TAMPERED, "certificate", f"entry {index} erased by another plan")
        named.update(entry["subjects"])
    if stated["erased"]["everywhere"] and not named.issuperset(stated["subjects"]):
        raise CheckError(TAMPERED, "certificate", "names people whose keys no entry says were destroyed")
    redacted = sum(
        len(_entry_of(entries, index, "reseal", request)["redacted"]) for index in stated["entries"]["reseal"]
    )
    if redacted != stated["erased"]["redacted"]:
        raise CheckError(TAMPERED, "certificate", "states another number of redacted records than the log")
    ended = stated["backups"]["entry"]
    if ended is not None:
        epoch = entries.get(ended, {}).get("epoch") or {}
        if (
            ended < max(stated["entries"]["erasure"], default=-1)
            or epoch.get("unreadable_at") != stated["backups"]["unreadable_at"]
        ):
            raise CheckError(TAMPERED, "certificate", "states another date for backups than the log")
    looked = stated["negative_check"]
    if looked["opened"] or looked["found"] or looked["mentioned"]:
        raise CheckError(UNVERIFIABLE, "certificate", "the store itself still found something of what it erased")
    result.checked["acts of erasure"] += len(stated["entries"]["erasure"]) + len(stated["entries"]["reseal"])


def _check_before(bundle: Bundle, checkpoint: Checkpoint, stated: dict[str, Any], result: Result) -> None:
    """The checkpoint from before the erasure is continued by the one of now."""
    before = parse_checkpoint(bundle.read("before"))
    acts = [*stated["entries"]["erasure"], *stated["entries"]["reseal"]]
    claimed = {"root": before.root.hex(), "size": before.size}
    if (
        claimed != stated["before"]
        or before.origin != checkpoint.origin
        or before.size > min(acts, default=before.size)
    ):
        raise CheckError(TAMPERED, "before", "is not the checkpoint from before the erasure")
    if before.size < checkpoint.size:
        proof = canonical(bundle.read("before.json"))
        hashes = [from_hex(item) for item in proof["hashes"]]
        if not is_consistent(before.size, before.root, checkpoint.size, checkpoint.root, hashes):
            raise CheckError(TAMPERED, "before.json", "does not lead from the earlier checkpoint to this one")
    result.checked["consistency with the time before"] += 1


# ---- The whole check, and how it is reported


def check(
    path: str, keys: Sequence[Key] = (), pin: Pin | None = None, strict: bool = False, max_size: int = MAX_SIZE
) -> Result:
    """Check the bundle at ``path``, a zip or a folder. Raises UsageError if there is nothing to read."""
    result = Result(strict)
    result.guard("bundle", _check_all, path, keys, pin, max_size, result)
    result.not_proven = _not_proven(result)
    return result


def _check_all(path: str, keys: Sequence[Key], pin: Pin | None, max_size: int, result: Result) -> None:
    with open_bundle(path, max_size) as bundle:
        if not bundle.sizes:
            raise CheckError(NOTHING_THERE, "bundle", "holds no file")
        manifest = result.guard(MANIFEST, check_files, bundle, result)
        checkpoint = result.guard("checkpoint", check_checkpoint, bundle, keys, pin, result)
        if manifest is None or checkpoint is None:
            return
        entries = result.guard("entries.jsonl", check_entries, bundle, checkpoint, result)
        if manifest["_"] == CERTIFICATE:
            result.guard("certificate", check_certificate, bundle, checkpoint, entries or {}, result)
        elif entries is not None:
            result.guard(MANIFEST, check_partitions, bundle, manifest, entries, result)
        _check_claims(manifest, result)


def _check_claims(manifest: dict[str, Any], result: Result) -> None:
    """What the manifest says of the bundle, in numbers, must be what was found."""
    is_bundle = manifest["_"] == BUNDLE
    names = ("complete partitions", "entries", "partitions", "records") if is_bundle else ("entries",)
    found = {name.replace(" ", "_"): result.checked.get(name, 0) for name in names}
    log = {"origin": result.origin, "root": result.root, "size": result.size}
    if result.verdict not in (TAMPERED, LOST) and (
        manifest["counts"] != ({**found, "contents": result.contents} if is_bundle else found)
        or manifest["checkpoint"] != log
    ):
        result.add(TAMPERED, MANIFEST, "states other counts or another checkpoint than the bundle holds")
    if manifest["origin"] != result.origin:
        result.add(TAMPERED, MANIFEST, "states another origin than the checkpoint")
    if is_bundle and not found["records"]:
        result.add(NOTHING_THERE, "bundle", "holds no record that could be checked")


NEVER_PROVEN = (
    "That the sources logged what happened, or all of it: records are unchanged since ingest, no more.",
    "That no other partition of the log holds records of this selection.",
    "Times: they are what the sources and the store's writer stated.",
    "Who committed an entry, and when: the signed commits are in the store, not in the bundle.",
    "README.txt, verify.py, log.vkey, the manifest's words and the commit numbers: no signature covers them.",
    "That the checkpoint is the newest one.",
)


NOT_CERTIFIED = (
    "That no copy of a destroyed key exists anywhere else: keys leave no trace when they are copied.",
    "That the plan lists every record of these people, and every mention of them.",
    "What the store looked for afterwards, and whom it handed records to before: that is its word.",
    "Times: they are what the store's writer stated.",
    "Who committed an entry, and when: the signed commits are in the store, not in the certificate.",
    "README.txt, verify.py, log.vkey and the commit numbers: no signature covers them.",
    "That the checkpoint is the newest one.",
)


def _not_proven(result: Result) -> list[str]:
    if result.statement:
        return list(NOT_CERTIFIED)
    partial = result.checked["partitions"] - result.checked["complete partitions"]
    shown, records = result.checked["contents"], result.checked["records"]
    words = list(NEVER_PROVEN)
    if partial:
        words.insert(1, f"Other rows of {_count(partial, 'partition')}: they are not in the bundle.")
    if set(result.contents) & {"erased", "expired", "redacted", "restricted"}:
        words.append(
            "That what ended, altered or restricted content was committed by a key with that role, and that it"
        )
        words[-1] += " names this very row: verify the store for this."
    if shown < records or not records:
        words.append(
            f"Content: {shown} of {_count(records, 'record')} have theirs in the bundle, the others a commitment to it."
        )
    return words


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_SENTENCES = {
    INTACT: "INTACT: everything that was checked is unchanged since ingest.",
    TAMPERED: "TAMPERED: something differs from what was sealed, or the archive is damaged or hostile.",
    LOST: "LOST: something that the bundle lists is not there.",
    UNVERIFIABLE: "UNVERIFIABLE: the check could not be completed; do not take the bundle as proven.",
    NOTHING_THERE: "NOTHING THERE: no record was found.",
    STALE: "STALE: the bundle could not be tied to the pin.",
    UNPINNED: "UNPINNED: no pin was given.",
}


def report(result: Result) -> str:
    """The result as people read it."""
    lines = [_SENTENCES[result.verdict], ""]
    lines += ["{:>13}  {}: {}".format(f["verdict"], f["object"], f["reason"]) for f in result.findings]
    if result.origin:
        lines += [f"Log {result.origin}, {result.size} entries, root {result.root}"]
        lines += [f"Trust: {result.grade}", ""]
    lines += ["Checked:"] + [f"{number:>13,}  {what}" for what, number in result.checked.items()]
    if result.statement:
        lines += _certified(result.statement)
    if result.contents:
        lines += ["Contents:"] + [f"{n:>13,}  {state}" for state, n in sorted(result.contents.items())]
    lines += ["", "Not proven:"] + ["  - " + words for words in result.not_proven]
    return "\n".join(lines) + "\n"


def _certified(stated: dict[str, Any]) -> list[str]:
    """What a certificate states, in short."""
    erased, backups = stated["erased"], stated["backups"]["unreadable_at"] or "not yet"
    where = "everywhere" if erased["everywhere"] else "in part"
    numbers = [f"{erased[name]} {name}" for name in ("records", "redacted", "waiting", "refused")]
    return [
        "",
        f"Certified: request {stated['request']}, plan {stated['plan']}",
        f"    erased {where}: {', '.join(numbers)}",
        f"    live {stated['live_at']}, backups {backups}",
    ]


def printable(text: str) -> str:
    """Text from a bundle cannot move the cursor or hide itself: everything but printable ASCII is escaped."""
    return text.encode("ascii", "backslashreplace").decode().replace("\x7f", "\\x7f").replace("\x1b", "\\x1b")


def read_key(text: str) -> Key:
    """A key given as text, or as the name of a file that holds it. Raises UsageError."""
    is_key = text.count("+") >= 2 and not _is_there(text, Path.exists)
    return parse_key(text if is_key else _read(text).decode("utf-8", "replace"))


def read_pin(path: str) -> Pin:
    """A pin from its file. Raises UsageError."""
    return parse_pin(_read(path))


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_CHUNK)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser("verify.py", description="Verify an evidence bundle offline.")
    parser.add_argument("bundle", help="the bundle: a zip, or the folder that it was unpacked to")
    parser.add_argument("--key", action="append", default=[], help="public key of the log that you hold, or its file")
    parser.add_argument("--pin", help="file with the checkpoint that you verified last")
    parser.add_argument("--strict", action="store_true", help="fail (6) if the bundle cannot be tied to a pin")
    parser.add_argument("--max-size", type=int, default=MAX_SIZE, help="bytes that it may unpack to")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    try:
        keys = [read_key(text) for text in options.key]
        pin = read_pin(options.pin) if options.pin else None
        result = check(options.bundle, keys, pin, options.strict, options.max_size)
    except UsageError as error:
        _note(str(error))
        return 2
    sys.stdout.write(json.dumps(result.as_json(), indent=1) + "\n" if options.json else printable(report(result)))
    return result.exit_code


def _note(text: str) -> None:
    """A line for people. Where stderr cannot be written, the exit code has to do."""
    with contextlib.suppress(OSError):
        sys.stderr.write(printable(f"verify.py: {text}\n"))


def _open_closed_streams() -> None:
    """Streams that the caller has closed lead nowhere: else a file that is opened later would take their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - for good


def run() -> int:
    """The whole command. What keeps it from its end is no verdict, and never has the code of one."""
    _open_closed_streams()
    try:
        code = main()
        sys.stdout.flush()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 2
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = READER_GONE
    except OSError as error:
        _note(f"the result cannot be written: {error.strerror}")
        code = OUTPUT_FAILED
    except Exception as error:  # noqa: BLE001 - a traceback would end with 1, which says tampered
        _note(f"internal error ({type(error).__name__})")
        code = INTERNAL_ERROR
    written = _flushed(sys.stdout)
    _flushed(sys.stderr)
    return code or (0 if written else OUTPUT_FAILED)


def _flushed(stream: TextIO) -> bool:
    """Whether all was written. If not, Python must not try again on leaving: it would end with a code of its own."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


if __name__ == "__main__":
    sys.exit(run())

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
 2. It is a BagIt bag (RFC 8493): every file has the SHA-256 that the manifests state, none is missing, none is added.
 3. data/bundle.json is a statement of this form: what was selected, what is shown, what is said to be proven.
 4. The checkpoint (a C2SP signed note) is signed by your key, and agrees with your pin if you give one.
 5. Every ledger entry leads to the checkpoint's root (C2SP tlog-proof, RFC 9162); or all of them together make it.
 6. The records that are listed of each partition lead, with its one range proof, to the root in the partition's entry.
 7. Every record line has the hash that its record is listed by, and belongs to the selection that is stated.
 8. Where completeness is claimed: every entry of the log is here, and all rows of each partition in question.
 9. Every disclosed content is the one that its record commits to, SHA-256(row key || bytes), and every text of the
    replay that is called verbatim occurs in it.
10. Accesses, erasures, holds and counts are those that the proven lines and entries say.
11. The sample is the one that its seed draws from the population.
12. The attestation (in-toto, DSSE) is by a key that the log enrols for bundles, and is of these very files.
13. Of a certificate of erasure: its signature, the plan that it names, the approval by a second person, the entries
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
import csv
import gc
import hashlib
import hmac
import io
import json
import os
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import (  # noqa: UP035 - what stands outside of annotations is evaluated, also by Python 3.8
    Any,
    BinaryIO,
    Callable,
    Dict,
    List,
    NamedTuple,
    NoReturn,
    TextIO,
    Tuple,
    cast,
)

SCHEMA = "evidence/verify-bundle/2"
INTACT, TAMPERED, LOST, UNVERIFIABLE = "intact", "tampered", "lost", "unverifiable"
NOTHING_THERE, STALE, UNPINNED = "nothing there", "stale", "unpinned"
EXIT_CODES = {INTACT: 0, TAMPERED: 1, UNVERIFIABLE: 3, NOTHING_THERE: 4, LOST: 5, STALE: 6, UNPINNED: 6}
INTERNAL_ERROR, OUTPUT_FAILED, INTERRUPTED, READER_GONE = 70, 74, 130, 141
WORST_FIRST = (TAMPERED, LOST, UNVERIFIABLE, NOTHING_THERE, STALE, UNPINNED)
MAX_SIZE = 4 << 30
"""Bytes that all files may have together, unpacked, unless --max-size says otherwise."""
MAX_FINDINGS, _LOOK_BACK = 1000, 20


class CheckError(Exception):
    """Something found while checking: a verdict, the file that it is about, and why."""

    def __init__(self, verdict: str, where: str, reason: str) -> None:
        super().__init__(reason)
        self.verdict, self.where, self.reason = verdict, where, reason


class UsageError(Exception):
    """The call itself is wrong: no such file, no valid key or pin."""


class Result:
    """What was found and what was checked, in numbers; ``proven`` and ``not_proven`` say in words what it comes to."""

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.findings: list[dict[str, str]] = []
        self.checked: Counter[str] = Counter()
        self.contents: Counter[str] = Counter()
        self.not_proven: list[str] = []
        self.origin, self.size, self.root, self.grade = "", 0, "", ""
        self.statement: dict[str, Any] = {}
        self.completeness, self.attested = "", ""
        self.proven: list[str] = []
        self._verdicts: set[str] = set()

    def add(self, verdict: str, where: str, reason: str) -> None:
        """Note a finding. The first of them are listed, all of them count."""
        self._verdicts.add(verdict)
        finding = {"verdict": verdict, "object": where, "reason": reason}
        if len(self.findings) < MAX_FINDINGS and finding not in self.findings[-_LOOK_BACK:]:
            self.findings.append(finding)

    def guard(self, where: str, check: Callable[..., Any], *arguments: Any) -> Any:
        """What ``check`` returns. None, with a finding, if it raises CheckError or meets what has another shape."""
        try:
            return check(*arguments)
        except CheckError as error:
            self.add(error.verdict, error.where, error.reason)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError, csv.Error):
            self.add(TAMPERED, where, "is malformed")
        return None

    @property
    def verdict(self) -> str:
        """The worst verdict. Stale and unpinned count only under --strict."""
        found = self._verdicts - (set() if self.strict else {STALE, UNPINNED})
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
            "completeness": self.completeness,
            "attested": self.attested,
            "findings": self.findings,
            "proven": self.proven,
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


MAX_DEPTH = 64


def canonical(data: bytes) -> dict[str, Any]:
    """A JSON object in canonical form: keys sorted by code point and each once, no white space, strings with the least
    escapes, integers below 2^53 in size and no floats, nested at most 64 deep. So no bytes have a second reading.

    The sum of it is: what parses is written again and compared with what was there. But writing is most of the work of
    a whole check, and is left out where it can only come out equal: keys are compared while parsing, and where no byte
    is white space or a backslash, strings and what stands between them have one spelling.
    """
    text = data.decode("utf-8")
    value, end = _decode(text)
    if type(value) is not dict or end != len(text):
        raise ValueError("no JSON object")
    has_spellings = b" " in data or b"\\" in data or b"\n" in data or b"\t" in data or b"\r" in data
    if has_spellings and _encode(value) != text:
        raise ValueError("not in canonical form")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError("nested too deep")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, the keys of which are in order and each there once."""
    last = ""
    for key, _ in pairs:
        if key <= last:
            raise ValueError("keys out of order, or twice")
        last = key
    return dict(pairs)


def _refuse_number(_text: str) -> NoReturn:
    raise ValueError("no floats, and no integers from 2^53 on")


def _int(text: str) -> int:
    if len(text) < 16 and text != "-0":
        return int(text)
    number = int(text) if len(text) <= 17 else 0
    return number if 0 < abs(number) < 2**53 else _refuse_number(text)


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_refuse_number, parse_constant=_refuse_number, parse_int=_int
).raw_decode
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


def _depth(value: Any) -> int:
    """How deep lists and objects are nested, without recursion."""
    depth, level = 0, [value]
    while True:
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return depth
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]


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
    """A log's size and root, as a note states them; ``text`` is what is signed, ``signatures`` (name, ID, bytes),
    ``note`` all of it.
    """

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: list[tuple[str, bytes, bytes]]
    note: bytes

    def signed_by(self, key: Key) -> bool:
        """Whether this key, named as the log, signed. CheckError if it says so and the signature does not verify."""
        return _signed_by(key, self.text, self.signatures, CHECKPOINT) and key.name == self.origin


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
    return Checkpoint(origin, int(size), from_base64(root), text, signatures, data)


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

PAYLOAD = re.compile(
    r"data/(?:bundle\.json|checkpoint|log\.vkey|policy|consistency\.json|entries\.jsonl|proofs/(?:0|[1-9][0-9]{0,15})\.tlog-proof"
    r"|population\.csv|context\.csv|sample\.csv|sampling\.json|records\.jsonl|records\.parquet|context\.jsonl"
    r"|content\.jsonl|content/(?:0|[1-9][0-9]{0,15})\.bin|replay\.jsonl|accesses\.jsonl|erasures\.jsonl|holds\.jsonl|queries\.sql"
    r"|tie-out\.csv|controls\.json|controls\.xlsx|oscal-assessment-results\.json"
    r"|certificate|plan\.json|before|before\.json)\Z"
)
TAGS = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "README.txt", "verify.py")
VIEWS = ("report.html", "report.pdf", "attestation.dsse.json", "attestation.tsr")
"""Every name that a bundle can have: what is not on these lists (paths that lead out, other spellings) is refused."""
_CHUNK = 1 << 20
MAX_LINE, MAX_EVENT = 1 << 20, 64 << 20
MAX_RECORD = 1 << 16
MAX_LINES_FILE = 1 << 30
_MAX_LIST = 64 << 20
"""Bytes of a line, of a record line, of a file of lines, of a list that is read as a whole."""
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, struct.error)


class Bundle:
    """The files of a bundle by name with their sizes. Reading raises CheckError for missing or damaged data."""

    def __init__(self, sizes: dict[str, int], opener: Callable[[str], Any]) -> None:
        self.sizes, self._opener = sizes, opener
        self._digests: dict[str, str] = {}

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

    def digest(self, name: str) -> str:
        """SHA-256 (hex) of a whole file, which is read for it unless it was read to its end before."""
        if name in self._digests:
            return self._digests[name]
        found = hashlib.sha256()
        with self.open(name) as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                found.update(chunk)
        return found.hexdigest()

    def lines(self, name: str, longest: int = MAX_LINE) -> Iterator[bytes]:
        """The lines of a file without their newlines."""
        if self.sizes.get(name, 0) > MAX_LINES_FILE:
            raise CheckError(UNVERIFIABLE, name, "is larger than this program reads")
        pieces: list[bytes] = []
        length, found = 0, hashlib.sha256()
        with self.open(name) as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                found.update(chunk)
                lines = chunk.split(b"\n")
                if len(lines) > 1:
                    lines[0] = b"".join([*pieces, lines[0]])
                    pieces, length = [], 0
                if max(map(len, lines)) + length > longest:
                    raise CheckError(TAMPERED, name, "has a line that is too long")
                pieces.append(lines.pop())
                length += len(pieces[-1])
                yield from lines
        self._digests[name] = found.hexdigest()
        if length:
            raise CheckError(TAMPERED, name, "has no newline at its end")


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
            members: dict[str, _Member] = {}
            sizes = _sizes(_files_of(file, archive, members), max_size)
        except _READ_ERRORS as error:
            raise _unreadable("bundle", error) from None
        yield Bundle(sizes, lambda name: io.BufferedReader(members[name].again(), _CHUNK))


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
        if not (name in TAGS or name in VIEWS or PAYLOAD.match(name)) or name in sizes:
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


def _files_of(file: BinaryIO, archive: zipfile.ZipFile, members: dict[str, _Member]) -> Iterator[tuple[str, int]]:
    """Names and sizes, after a comparison of every file's own header with the directory; how to read each."""
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
        members[info.orig_filename] = _Member(file, at - info.compress_size, info)
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


class _Member(io.RawIOBase):
    """A file of an archive, from its beginning. At its end nothing is left of it, and size and CRC are as stated."""

    def __init__(self, file: BinaryIO, start: int, info: zipfile.ZipInfo) -> None:
        self._file, self._start, self._info = file, start, info
        self._at, self._size, self._crc = start, 0, 0
        self._inflater = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None

    def again(self) -> _Member:
        """The same file, to be read anew."""
        return _Member(self._file, self._start, self._info)

    def readable(self) -> bool:
        """For the buffer that reads it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end. Raises BadZipFile, zlib.error."""
        data = self._some(len(buffer))
        buffer[: len(data)] = data
        self._size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if not data or self._size > self._info.file_size:
            left = self._start + self._info.compress_size - self._at
            hidden = left or (self._inflater and (self._inflater.unused_data or not self._inflater.eof))
            if hidden or (self._size, self._crc) != (self._info.file_size, self._info.CRC):
                raise zipfile.BadZipFile("another size or sum than stated, or data behind the end")
        return len(data)

    def _some(self, count: int) -> bytes:
        """At most so many bytes; none at the end alone."""
        while True:
            packed = self._inflater.unconsumed_tail if self._inflater else b""
            if not packed:
                self._file.seek(self._at)
                left = self._start + self._info.compress_size - self._at
                packed = self._file.read(min(left, count if self._inflater is None else _CHUNK // 16))
                self._at += len(packed)
            if self._inflater is None:
                return packed
            data = self._inflater.decompress(packed, count)
            if data or not packed or self._inflater.eof:
                return data


# ---- 2. The bag: a list of sums for what is in data/, and one for everything else

MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_SUM = re.compile(r"([0-9a-f]{64})  ([!-~]+)\Z")


Sums = Dict[str, Dict[str, str]]  # noqa: UP006


def read_manifests(bundle: Bundle, result: Result) -> Sums:
    """What each manifest lists: SHA-256 (hex) by name. No file is there that none of them lists."""
    sums: Sums = {}
    for manifest in (MANIFEST, TAG_MANIFEST):
        listed = result.guard(manifest, _sums, bundle, manifest)
        if listed is None:
            continue
        sums[manifest] = listed
        there = {name for name in bundle.sizes if (name[:5] == "data/") == (manifest == MANIFEST)}
        for name in sorted(there - listed.keys() - {TAG_MANIFEST}):
            result.add(TAMPERED, name, f"is not listed in {manifest}")
    result.guard("bagit.txt", _check_declaration, bundle)
    return sums


def check_files(bundle: Bundle, sums: Sums, result: Result) -> None:
    """Every file that is listed is there with this sum. Comes last, as most files have been read for their own sake."""
    for manifest, listed in sums.items():
        for name, digest in listed.items():
            result.guard(name, _check_file, bundle, name, digest, manifest, result)


def _sums(bundle: Bundle, manifest: str) -> dict[str, str]:
    """What a manifest lists: SHA-256 (hex) by name. It is sorted, and lists files of its own sort alone."""
    data = bundle.read(manifest, _MAX_LIST)
    listed: dict[str, str] = {}
    last = ""
    for number, line in enumerate(data.decode("ascii").split("\n")[:-1], 1):
        match = _SUM.match(line)
        if not match or not _may_list(manifest, match[2]) or match[2] <= last:
            raise CheckError(TAMPERED, f"{manifest}, line {number}", "lists no file of a bundle, or is out of order")
        last = match[2]
        listed[last] = match[1]
    if not data.endswith(b"\n"):
        raise CheckError(TAMPERED, manifest, "has no newline at its end")
    return listed


def _may_list(manifest: str, name: str) -> bool:
    if manifest == MANIFEST:
        return PAYLOAD.match(name) is not None
    return name != TAG_MANIFEST and (name in TAGS or name in VIEWS)


def _check_file(bundle: Bundle, name: str, digest: str, manifest: str, result: Result) -> None:
    if bundle.digest(name) != digest:
        raise CheckError(TAMPERED, name, f"has another SHA-256 than {manifest} states")
    result.checked["files"] += 1
    result.checked["bytes"] += bundle.sizes[name]


def _check_declaration(bundle: Bundle) -> None:
    if bundle.read("bagit.txt") != BAGIT:
        raise CheckError(TAMPERED, "bagit.txt", "is not the declaration of a bag")


def check_bag_info(bundle: Bundle, result: Result) -> None:
    """What the bag says of itself: the checkpoint that it is of, and how many bytes and files it holds."""
    stated: dict[str, str] = {}
    for line in bundle.read("bag-info.txt").decode("utf-8").split("\n")[:-1]:
        label, colon, value = line.partition(": ")
        if not colon or label in stated:
            raise CheckError(TAMPERED, "bag-info.txt", "is malformed")
        stated[label] = value
    payload = [size for name, size in bundle.sizes.items() if name.startswith("data/")]
    expected = {
        "External-Identifier": f"{result.origin}@{result.size}",
        "Payload-Oxum": f"{sum(payload)}.{len(payload)}",
    }
    for label, value in expected.items():
        if stated.get(label) != value:
            raise CheckError(TAMPERED, "bag-info.txt", f"states another {label} than the bundle has")


# ---- 3. What the bundle says of itself

STATEMENT = "data/bundle.json"
BUNDLE, CERTIFICATE = "evidence/bundle/2", "evidence/certificate/1"
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z\Z")
_CRITERIA = {"session": {"session"}, "time": set(), "subject": {"subjects"}, "model": {"model"}}
_OPTIONAL = {"from", "to"}


def check_statement(bundle: Bundle) -> dict[str, Any]:
    """data/bundle.json, of which everything else can be checked then."""
    stated = canonical(bundle.read(STATEMENT, _MAX_LIST))
    if stated["_"] not in (BUNDLE, CERTIFICATE):
        raise CheckError(UNVERIFIABLE, STATEMENT, "is not of a version that this program knows")
    if stated["_"] == CERTIFICATE:
        return stated
    selection, kinds = stated["selection"], (stated["completeness"], stated["content"], type(stated["sampled"]))
    if kinds[0] not in ("whole", "shown") or kinds[1] not in ("none", "disclosed", "sealed") or kinds[2] is not bool:
        raise CheckError(TAMPERED, STATEMENT, "says what no bundle can be")
    if not _is_selection(selection) or (kinds[0] == "whole" and matcher(selection) is None):
        raise CheckError(TAMPERED, STATEMENT, "states a selection that this version does not have")
    if (kinds[1] == "sealed") != bool(re.match(r"[0-9a-f]{32}\Z", stated.get("export", ""))):
        raise CheckError(TAMPERED, STATEMENT, "names an export that seals nothing, or none for sealed content")
    return stated


def _is_selection(selection: dict[str, Any]) -> bool:
    kind = selection["type"]
    texts = [value for name, value in selection.items() if name != "subjects"]
    times = [selection[name] for name in _OPTIONAL if name in selection]
    if not all(isinstance(text, str) for text in texts) or not all(_UTC.match(time) for time in times):
        return False
    if kind in ("query", "control"):
        return True
    wanted = _CRITERIA.get(kind)
    free = _OPTIONAL | ({"version"} if kind == "model" else set())
    subjects = selection.get("subjects", ["-"])
    named = isinstance(subjects, list) and bool(subjects) and all(isinstance(item, str) for item in subjects)
    return wanted is not None and named and wanted <= selection.keys() - {"type"} <= wanted | free


Matcher = Callable[[Dict[str, Any]], bool]  # noqa: UP006


def matcher(selection: dict[str, Any]) -> Matcher | None:
    """Whether a record belongs to the selection, as a function of its line. None where lines alone cannot tell."""
    kind, within = selection["type"], _within(selection)
    if kind == "session":
        session = selection["session"]
        return lambda record: record.get("session") == session and within(record)
    if kind == "time":
        return within
    if kind == "subject":
        subjects = set(selection["subjects"])
        return lambda record: not subjects.isdisjoint(people_of(record)) and within(record)
    if kind == "model":
        return lambda record: _is_of_model(record, selection["model"], selection.get("version")) and within(record)
    return None


def _within(selection: dict[str, Any]) -> Matcher:
    """Whether a record's time lies in [from, to). Without its Z, UTC text sorts as time."""
    start, end = selection.get("from", "Z")[:-1], selection.get("to", "~Z")[:-1]
    return lambda record: start <= (record.get("occurred_at") or record["observed_at"])[:-1] < end


def people_of(record: dict[str, Any]) -> set[str]:
    """The references of everybody whom a line names: the owner of its content, and people in any role."""
    named = {reference for references in record.get("subjects", {}).values() for reference in references}
    return named | {record["content"]["owner"]}


def _is_of_model(record: dict[str, Any], model: str, version: str | None) -> bool:
    asserted = record.get("model_ref", {})
    names = (asserted.get("name"), record.get("gen_ai_request_model"), record.get("gen_ai_response_model"))
    return model in names and (version is None or asserted.get("version") == version)


# ---- 4. The checkpoint, the key that you hold, and your pin

CHECKPOINT, HINT, POLICY = "data/checkpoint", "data/log.vkey", "data/policy"


def check_checkpoint(bundle: Bundle, keys: Sequence[Key], pin: Pin | None, result: Result) -> Checkpoint:
    """The checkpoint of the bundle; whether it can be trusted goes into the result."""
    checkpoint = parse_checkpoint(bundle.read(CHECKPOINT))
    result.origin, result.size, result.root = checkpoint.origin, checkpoint.size, checkpoint.root.hex()
    # Beside a key, a pin is memory and no authority: one handed over with the bundle would bring its forger's key.
    trusted = list(keys) or ([pin.key] if pin else [])
    foreign = pin is not None and pin.key not in trusted
    if foreign:
        result.add(UNVERIFIABLE, "pin", "is not signed by the key that you gave; it counts for nothing")
    result.guard(HINT, _check_hint, bundle, checkpoint, TAMPERED if trusted else UNVERIFIABLE)
    if [key for key in trusted if checkpoint.signed_by(key)]:
        result.checked["signatures"] += 1
        result.grade = "signed by the key that you gave"
        if not foreign:
            result.guard(CHECKPOINT, _check_pin, bundle, checkpoint, pin, result)
        return checkpoint
    result.grade = "untrusted"
    if trusted:
        names = ", ".join(sorted({name for name, _, _ in checkpoint.signatures}))
        result.add(UNVERIFIABLE, CHECKPOINT, f"no key that you gave has signed it; it names as signer: {names}")
        return checkpoint
    reason = "no key or pin was given: a key inside a bundle proves nothing, since a forger would put in their own"
    result.add(UNVERIFIABLE, CHECKPOINT, reason)
    return checkpoint


def _check_hint(bundle: Bundle, checkpoint: Checkpoint, verdict: str) -> None:
    """The key and the policy that came with the bundle are of this checkpoint. Nothing is trusted for their sake."""
    hint = bundle.read(HINT)
    try:
        signed = checkpoint.signed_by(parse_key(hint.decode("utf-8")))
    except UsageError:
        signed = False
    if not signed or hint != hint.strip() + b"\n":
        raise CheckError(verdict, HINT, "is not the key that signed the checkpoint")
    if bundle.read(POLICY) != b"log " + hint + b"quorum none\n":
        raise CheckError(TAMPERED, POLICY, f"is not that of {HINT} alone")


def _check_pin(bundle: Bundle, checkpoint: Checkpoint, pin: Pin | None, result: Result) -> None:
    if pin is None:
        raise CheckError(UNPINNED, CHECKPOINT, "no pin was given: a second history would not be noticed")
    old = pin.checkpoint
    if old.origin != checkpoint.origin:
        raise CheckError(UNVERIFIABLE, CHECKPOINT, "is of another log than the pin")
    if old.size > checkpoint.size:
        raise CheckError(STALE, CHECKPOINT, "is older than the pin; that both are of one history is not shown")
    if old.size == checkpoint.size:
        if old.root != checkpoint.root:
            raise CheckError(TAMPERED, CHECKPOINT, "forked: one key signed two histories of the pinned size")
    else:
        _check_consistency(bundle, old, checkpoint)
    result.checked["consistency with the pin"] += 1
    result.grade = "pinned: continues the checkpoint that you verified before"


def _check_consistency(bundle: Bundle, old: Checkpoint, new: Checkpoint) -> None:
    where = "data/consistency.json"
    proof: dict[str, Any] = canonical(bundle.read(where)) if where in bundle.sizes else {"from": 0}
    if (proof["from"], proof.get("to")) != (old.size, new.size):
        raise CheckError(STALE, CHECKPOINT, "is newer than the pin; the bundle has no proof that it continues it")
    hashes = [from_hex(item) for item in proof["hashes"]]
    if not is_consistent(old.size, old.root, new.size, new.root, hashes):
        raise CheckError(TAMPERED, where, "does not lead from the pin to the checkpoint")


# ---- 5. Ledger entries

Entries = Dict[int, Dict[str, Any]]  # noqa: UP006
_ENTRIES = "data/entries.jsonl"
_PROOF_HEADER = b"c2sp.org/tlog-proof@v1"


def check_entries(
    bundle: Bundle, checkpoint: Checkpoint, whole: bool, result: Result
) -> tuple[Entries, dict[int, bytes]]:
    """The entries that the log is proven to hold, and what their proofs say of rows, both by index."""
    entries: Entries = {}
    extras: dict[int, bytes] = {}
    leaves, last = [], -1
    for number, line in enumerate(bundle.lines(_ENTRIES), 1):
        where = f"{_ENTRIES}, line {number}"
        item = result.guard(where, _read_entry, line, last)
        if item is None:
            continue
        last, data = item
        leaves.append(leaf_hash(data))
        entry = result.guard(where, _entry, data, where)
        if not whole or _proof_name(last) in bundle.sizes:
            extra = result.guard(_proof_name(last), _check_proof, bundle, checkpoint, last, leaves[-1], where)
            if extra is None:
                continue
            extras[last] = extra
        if entry is not None:
            entries[last] = entry
            result.checked["entries"] += 1
    listed = {_proof_name(index) for index in extras}
    for name in sorted(name for name in bundle.sizes.keys() - listed if name.startswith("data/proofs/")):
        result.guard(name, _refuse_proof, name, entries)
    if whole and (not len(leaves) == last + 1 == checkpoint.size or root_of(leaves) != checkpoint.root):
        raise CheckError(TAMPERED, _ENTRIES, "does not hold every entry of the log: together they make another root")
    return entries, extras


def _proof_name(index: int) -> str:
    return f"data/proofs/{index}.tlog-proof"


def _refuse_proof(name: str, entries: Entries) -> None:
    if int(name[len("data/proofs/") : -len(".tlog-proof")]) not in entries:
        raise CheckError(TAMPERED, name, "is the proof of no entry that is here")


def _read_entry(line: bytes, last: int) -> tuple[int, bytes]:
    """Index and bytes of an entry."""
    item = canonical(line)
    if item.keys() != {"entry", "index", "seq"} or type(item["index"]) is not int or item["index"] <= last:
        raise ValueError("not an entry, or not in the order of the log")
    return item["index"], from_base64(item["entry"])


def _entry(data: bytes, where: str) -> dict[str, Any]:
    if not data.startswith(b'{"_":"evidence/entry/1"'):
        raise CheckError(UNVERIFIABLE, where, "the entry is not of a version that this program knows")
    entry = canonical(data)
    return {**entry, "type": str(entry["type"])}


def _check_proof(bundle: Bundle, checkpoint: Checkpoint, index: int, leaf: bytes, where: str) -> bytes:
    """The ``extra`` of an entry's tlog-proof, which must be of this checkpoint; b"" where it has none."""
    name = _proof_name(index)
    head, _, note = bundle.read(name, _MAX_LIST).partition(b"\n\n")
    header, *lines = head.split(b"\n")
    extra = b""
    if lines[0].startswith(b"extra "):
        extra = from_base64(lines.pop(0)[6:].decode("ascii"))
    if header != _PROOF_HEADER or lines[0] != b"index %d" % index or note != checkpoint.note:
        raise CheckError(TAMPERED, name, "is no proof of this entry under this checkpoint")
    hashes = [from_base64(line.decode("ascii")) for line in lines[1:]]
    if not all(len(item) == 32 for item in hashes):
        raise ValueError("not a SHA-256")
    if root_from_inclusion(leaf, index, checkpoint.size, hashes) != checkpoint.root:
        raise CheckError(TAMPERED, where, f"is not in the log that the checkpoint signs, by {name}")
    return extra


# ---- 6. The records that are listed: their ids lead to the root that the partition's entry states

POPULATION, CONTEXT = "data/population.csv", "data/context.csv"
_ROW = re.compile(rb'(0|[1-9][0-9]{0,15}),(0|[1-9][0-9]{0,15}),([0-9a-f]{64}),([^",\r\n]*|"(?:[^"\r\n]|"")*")\Z')


class Rows:
    """Columns of a list of records: partition, row, record id, stratum. ``runs``: first and end in it, by partition."""

    def __init__(self) -> None:
        self.partitions: list[int] = []
        self.rows: list[int] = []
        self.records: list[bytes] = []
        self.strata: list[str] = []
        self.runs: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.records)

    def pick(self, places: Iterable[int]) -> Rows:
        """Some of the rows, in the same order."""
        rows = Rows()
        for at in places:
            rows.partitions.append(self.partitions[at])
            rows.rows.append(self.rows[at])
            rows.records.append(self.records[at])
            rows.strata.append(self.strata[at])
        return rows.indexed()

    def indexed(self) -> Rows:
        """With ``runs``, of partitions that stand together."""
        partitions = self.partitions
        firsts = [at for at in range(len(partitions)) if at == 0 or partitions[at] != partitions[at - 1]]
        for first, end in zip(firsts, [*firsts[1:], len(partitions)]):  # noqa: B905 - not in Python 3.8
            self.runs[partitions[first]] = (first, end)
        return self

    def of(self, partition: int) -> list[tuple[int, bytes]]:
        """Rows and record ids of a partition."""
        first, end = self.runs.get(partition, (0, 0))
        return list(zip(self.rows[first:end], self.records[first:end]))  # noqa: B905 - not in Python 3.8

    def where(self, name: str, at: int) -> str:
        """How a finding names a row."""
        return f"{name}, row {self.rows[at]} of partition {self.partitions[at]} (record {self.records[at].hex()[:12]})"


def read_rows(bundle: Bundle, name: str) -> Rows:
    """A list of records, ascending by partition and row."""
    rows, last = Rows(), (-1, -1)
    lines = bundle.lines(name)
    if next(lines, None) != b"partition,row,record,stratum":
        raise CheckError(TAMPERED, f"{name}, line 1", "is not the heading")
    for number, line in enumerate(lines, 2):
        match = _ROW.match(line)
        if match is None:
            raise CheckError(TAMPERED, f"{name}, line {number}", "is malformed")
        partition, row, record, stratum = match.groups()
        place = int(partition), int(row)
        if place <= last:
            raise CheckError(TAMPERED, f"{name}, line {number}", "is there twice, or out of order")
        last = place
        rows.partitions.append(place[0])
        rows.rows.append(place[1])
        rows.records.append(bytes.fromhex(record.decode()))
        rows.strata.append(csv_text(stratum) if stratum else "")
    return rows.indexed()


def csv_text(field: bytes) -> str:
    """A field of a list. Quotes stand only around what needs them."""
    text = field.decode("utf-8")
    if text[:1] != '"':
        return text
    inner = text[1:-1].replace('""', '"')
    if not set(inner) & set(',"'):
        raise ValueError("needless quotes")
    return inner


def check_rows(
    population: Rows, context: Rows, entries: Entries, extras: dict[int, bytes], result: Result
) -> dict[int, dict[str, Any]]:
    """The entries of the partitions whose rows are listed, each proven to be of its partition."""
    found = {}
    for index in sorted(population.runs.keys() | context.runs.keys()):
        name = POPULATION if index in population.runs else CONTEXT
        where = f"{name}, partition {index}"
        entry = result.guard(where, _check_partition, index, where, (population, context), entries, extras, result)
        if entry is not None:
            found[index] = entry
    for index in sorted(index for index, extra in extras.items() if extra and index not in found):
        if index not in population.runs and index not in context.runs:
            result.add(
                TAMPERED, f"{POPULATION}, partition {index}", f"lists none of the rows that {_proof_name(index)} is of"
            )
    result.checked["population"] += sum(end - first for p, (first, end) in population.runs.items() if p in found)
    result.checked["context"] += sum(end - first for p, (first, end) in context.runs.items() if p in found)
    return found


def _check_partition(
    index: int, where: str, listed: tuple[Rows, Rows], entries: Entries, extras: dict[int, bytes], result: Result
) -> dict[str, Any]:
    entry, name = entries.get(index), _proof_name(index)
    if entry is None or entry["type"] != "partition":
        raise CheckError(TAMPERED, where, "is of no partition that an entry of the log proves")
    pairs = sorted(listed[0].of(index) + listed[1].of(index))
    rows = [row for row, _ in pairs]
    twice = next((row for at, row in enumerate(rows[1:]) if row == rows[at]), None)
    if twice is not None:
        raise CheckError(TAMPERED, f"{CONTEXT}, row {twice} of partition {index}", "is in the population too")
    if not extras.get(index):
        raise CheckError(LOST, name, "is missing, or does not say which rows are shown")
    proof = canonical(extras[index])
    stated = (proof.pop("_"), proof.pop("entry"), proof.pop("rows"), type(proof["hashes"]))
    if stated != ("evidence/subset-proof/1", index, entry["rows"], list) or proof.keys() != {"hashes", "ranges"}:
        raise CheckError(TAMPERED, name, "is not the proof of this partition")
    if proof["ranges"] != runs_of(rows) or rows[-1] >= entry["rows"]:
        raise CheckError(TAMPERED, where, f"lists other rows than {name} is the proof of")
    hashes = [from_hex(text) for text in proof["hashes"]]
    root = root_from_subset(entry["rows"], rows, [record for _, record in pairs], hashes)
    if root is None or root.hex() != entry["root"]:
        raise CheckError(TAMPERED, where, f"its records do not lead, by {name}, to the root that the entry states")
    result.checked["partitions"] += 1
    result.checked["complete partitions"] += int(len(rows) == entry["rows"])
    return entry


def runs_of(rows: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as ``[first, number]`` of each unbroken run."""
    runs: list[list[int]] = []
    end = -1
    for row in rows:
        if row == end:
            runs[-1][1] += 1
        else:
            runs.append([row, 1])
        end = row + 1
    return runs


# ---- 7. The record lines, and the selection that they belong to

RECORDS, CONTEXT_LINES = "data/records.jsonl", "data/context.jsonl"


class Record(NamedTuple):
    """What is needed of a record to check its content, its replay, and what is said of it."""

    commitment: str
    owner: str
    people: set[str]
    session: str | None
    kind: str


class Lines(NamedTuple):
    """What the lines say: a Record by id of those that are needed, and the ids of access records."""

    records: dict[bytes, Record]
    accesses: set[str]


def check_lines(bundle: Bundle, name: str, rows: Rows, judge: Judge, needed: bool, result: Result) -> Lines:
    """Every line is that of its listed record. ``judge`` says what is wrong with one, or ""."""
    lines, records, count = Lines({}, set()), rows.records, 0
    for at, line in _in_step(bundle, name, rows, result):
        try:
            if not line.startswith(b'{"_":"evidence/record/1"'):
                result.add(UNVERIFIABLE, rows.where(name, at), "is no record of a version that this program knows")
                continue
            value = canonical(line)
            complaint = judge(value, at)
            if complaint:
                result.add(TAMPERED, rows.where(name, at), complaint)
            if value["kind"] == "access":
                lines.accesses.add(records[at].hex())
            if needed:
                content, people = value["content"], people_of(value)
                lines.records[records[at]] = Record(
                    content["commitment"], content["owner"], people, value.get("session"), value["kind"]
                )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            result.add(TAMPERED, rows.where(name, at), "is malformed")
            continue
        count += 1
    result.checked[_COUNTED[name]] += count
    return lines


Judge = Callable[[Dict[str, Any], int], str]  # noqa: UP006


def judge_selected(selection: dict[str, Any], rows: Rows, field: str | None) -> Judge:
    """Lines of the population belong to the selection, and to their stratum: the text of a field of theirs."""
    belongs = matcher(selection) or _within(selection)

    def judge(record: dict[str, Any], at: int) -> str:
        if not belongs(record):
            return "does not belong to the selection that is stated"
        if field is not None and _text_at(record, field) != rows.strata[at]:
            return "is of another stratum than its line says"
        return ""

    return judge


def judge_apart(selection: dict[str, Any]) -> Judge:
    """Lines of the context do not belong to the selection."""
    belongs = matcher(selection)
    reason = "belongs to the selection, and the population leaves it out"
    return lambda record, _at: reason if belongs is not None and belongs(record) else ""


def _text_at(record: dict[str, Any], field: str) -> Any:
    value: Any = record
    for part in field.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value


_COUNTED = {RECORDS: "records", CONTEXT_LINES: "lines of context"}


def _in_step(bundle: Bundle, name: str, rows: Rows, result: Result) -> Iterator[tuple[int, bytes]]:
    """The lines that have the hash of a listed record, with its place in the list; every other one is a finding."""
    records, count, at = rows.records, len(rows), 0
    places: dict[bytes, int] = {}
    for line in bundle.lines(name, MAX_RECORD):
        leaf = hashlib.sha256(b"\x00" + line).digest()
        if at < count and leaf == records[at]:
            yield at, line
            at += 1
            continue
        places = places or {record: place for place, record in enumerate(records)}
        found = places.get(leaf)
        if found is None:
            where = rows.where(name, at) if at < count else name
            result.add(TAMPERED, where, "is not the line of this record" if at < count else "has more lines than rows")
            at += 1
        elif found < at:
            result.add(TAMPERED, rows.where(name, found), "is there twice, or out of order")
        else:
            _missing(name, rows, range(at, found), result)
            yield found, line
            at = found + 1
    _missing(name, rows, range(at, count), result)


def _missing(name: str, rows: Rows, places: Iterable[int], result: Result) -> None:
    for at in places:
        result.add(TAMPERED, rows.where(name, at), "its line is missing")


# ---- 8. Completeness: nothing of the selection is left out


def check_whole(
    selection: dict[str, Any], entries: Entries, rows: tuple[Rows, Rows], proven: Iterable[int], result: Result
) -> None:
    """Of every partition that can hold a record of the selection all rows are shown."""
    shown = set(proven)
    for index, entry in entries.items():
        if entry["type"] != "partition" or not _may_hold(entry, selection):
            continue
        count = sum(len(listed.of(index)) for listed in rows)
        if index not in shown or count != entry["rows"]:
            reason = f"shows {count} of {entry['rows']} rows of a partition that can hold records of the selection"
            result.add(TAMPERED, f"{POPULATION}, partition {index}", reason)
        result.checked["partitions that can hold such records"] += 1


def _may_hold(entry: dict[str, Any], selection: dict[str, Any]) -> bool:
    """To the second, as the bounds of an entry are ordered as text."""
    first, last = entry["time"]["from"][:19], entry["time"]["to"][:19]
    start, end = selection.get("from", "")[:19], selection.get("to", "~")[:19]
    return bool(start <= last and first <= end)


# ---- 9. Disclosed content, and the texts of the replay that occur in it

CONTENT, REPLAY = "data/content.jsonl", "data/replay.jsonl"
DISCLOSED = ("verified", "redacted")
Claims = Dict[bytes, List[Tuple[str, str]]]  # noqa: UP006
"""By record: where a text is called verbatim, and the text."""


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


def explained(partition: int, entries: Entries) -> Explained:
    """What later entries say of a partition's content."""
    owners: set[str] = set()
    restricted: set[str] = set()
    redacted: dict[int, str] = {}
    erased = expired = False
    for entry in (entries[index] for index in sorted(entries) if index > partition):
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


def _says(said: Explained, state: str, record: Record) -> bool:
    if state == "erased":
        return record.owner in said.owners or said.erased
    return said.expired if state == "expired" else not said.restricted.isdisjoint(record.people)


class Contents:
    """The contents of a bundle's records, checked one partition after the other."""

    def __init__(self, bundle: Bundle, rows: Rows, lines: Lines, entries: Entries, sealed: bool) -> None:
        self.bundle, self.rows, self.lines, self.entries, self.sealed = bundle, rows, lines, entries, sealed
        self.states: dict[bytes, str] = {}
        self.items: list[dict[str, Any]] = []

    def read(self, result: Result) -> None:
        """content.jsonl: one line for each record that is shown, in the same order."""
        for number, line in enumerate(self.bundle.lines(CONTENT), 1):
            item = canonical(line)
            if number > len(self.rows) or self._place(number - 1) != (item["partition"], item["row"], item["record"]):
                raise CheckError(TAMPERED, f"{CONTENT}, line {number}", "is not of the record that is next")
            self.items.append(item)
            self.states[self.rows.records[number - 1]] = str(item["state"])
            result.contents[str(item["state"])] += 1
        if len(self.items) != len(self.rows):
            raise CheckError(TAMPERED, CONTENT, "has fewer lines than there are records")

    def _place(self, at: int) -> tuple[int, int, str]:
        return self.rows.partitions[at], self.rows.rows[at], self.rows.records[at].hex()

    def check(self, claims: Claims, result: Result) -> None:
        """Every content, file by file; no file is left over, nor any byte of one."""
        claimed = set()
        for partition, (first, end) in self.rows.runs.items():
            said = explained(partition, self.entries)
            there = [at for at in range(first, end) if self.items[at]["state"] in DISCLOSED]
            for at in range(first, end):
                result.guard(self.rows.where(CONTENT, at), self._check_state, at, said, result)
            if there:
                name = f"data/content/{partition}.bin"
                claimed.add(name)
                result.guard(name, self._check_partition, name, there, said, claims, result)
        for name in sorted(name for name in self.bundle.sizes if name.startswith("data/content/")):
            if name not in claimed:
                result.add(TAMPERED, name, "is the content of no record that is listed")

    def _check_state(self, at: int, said: Explained, result: Result) -> None:
        """Content that is not there is not there for a reason that an entry of the log gives."""
        state, where = str(self.items[at]["state"]), self.rows.where(CONTENT, at)
        record = self.lines.records.get(self.rows.records[at])
        if record is None or state in DISCLOSED:
            return
        if state not in ("erased", "expired", "restricted"):
            verdict = {"tampered": TAMPERED, "lost": LOST}.get(state, UNVERIFIABLE)
            result.add(verdict, where, f"is not disclosed: the store that exported it found it {state}")
        elif not _says(said, state, record):
            verdict = UNVERIFIABLE if state == "restricted" else LOST
            result.add(verdict, where, f"is said to be {state}, and no entry of the log in the bundle says so")

    def _check_partition(
        self, name: str, there: Sequence[int], said: Explained, claims: Claims, result: Result
    ) -> None:
        offset = 0
        with self.bundle.open(name) as file:
            for at in there:
                item, where = self.items[at], self.rows.where(CONTENT, at)
                size = item["size"]
                if type(size) is not int or size < 0 or item["offset"] != offset:
                    raise CheckError(TAMPERED, where, "does not begin where the content before it ends")
                offset += size
                if offset > self.bundle.sizes[name]:
                    raise CheckError(TAMPERED, where, f"ends behind the end of {name}")
                result.guard(where, self._check_content, at, file.read(size), said, claims, result)
            if file.read(1) or offset != self.bundle.sizes[name]:
                raise CheckError(TAMPERED, name, "holds bytes that belong to no record")

    def _check_content(self, at: int, content: bytes, said: Explained, claims: Claims, result: Result) -> None:
        item, record = self.items[at], self.lines.records.get(self.rows.records[at])
        if ("row_key" in item) == self.sealed or len(content) != item["size"]:
            raise CheckError(TAMPERED, self.rows.where(CONTENT, at), "is disclosed though sealed, or cut short")
        if record is None:
            return  # its line did not fit: that is a finding already
        if self.sealed:
            result.checked["sealed contents"] += 1
            return
        commitment = record.commitment if item["state"] == "verified" else said.redacted.get(self.rows.rows[at], "")
        if hashlib.sha256(from_hex(item["row_key"]) + content).hexdigest() != commitment:
            reason = "is not the content that the record, or the log's redaction, commits to"
            raise CheckError(TAMPERED, self.rows.where(CONTENT, at), reason)
        result.checked["contents"] += 1
        wanted = claims.get(self.rows.records[at], ())
        searched = texts_of(content) if wanted else ()
        for where, text in wanted:
            if not any(text in each for each in searched):
                result.add(TAMPERED, where, "calls a text verbatim that does not occur in the record's content")
            result.checked["verbatim texts"] += 1


def read_replay(contents: Contents, result: Result) -> Claims:
    """The events of the replay, each of a record that is shown, and which of their texts are called verbatim."""
    claims: Claims = {}
    for number, line in enumerate(contents.bundle.lines(REPLAY, MAX_EVENT), 1):
        where = f"{REPLAY}, line {number}"
        found = result.guard(where, _check_event, canonical(line), contents, where)
        if found is not None:
            claims.setdefault(found[0], []).extend((where, text) for text in found[1])
            result.checked["events"] += 1
    return claims


def _check_event(item: dict[str, Any], contents: Contents, where: str) -> tuple[bytes, list[str]]:
    record_id = from_hex(item["record"])
    record, state = contents.lines.records.get(record_id), contents.states.get(record_id)
    if record is None or state is None:
        raise CheckError(TAMPERED, where, "is of no record that is shown")
    if (record.session, record.kind, state) != (item["session"], item["kind"], item["state"]):
        raise CheckError(TAMPERED, where, "states another session, kind or state than its record")
    if (item["parts"] is None) != contents.sealed:
        raise CheckError(TAMPERED, where, "shows parts of sealed content, or none of what is disclosed")
    texts = [part["text"] for part in item["parts"] or () if part["verbatim"] is not False]
    if texts and state not in DISCLOSED:
        raise CheckError(TAMPERED, where, "calls a text verbatim of content that is not disclosed")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a text that is none")
    return record_id, texts


NESTED = 3
"""So deep JSON is looked for in strings of JSON: arguments of tools are JSON in a string."""
_MAX_CONTENT_DEPTH = 512
_read_content = json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=_refuse_number).decode


def occurs(text: str, content: bytes) -> bool:
    """Whether a text is in a record's content word for word: in its UTF-8, or in one of the strings of its JSON."""
    return any(text in each for each in texts_of(content))


def texts_of(content: bytes) -> list[str]:
    """The texts of a content: its UTF-8; if it is JSON, the strings in it; and the strings in those that are JSON
    objects or arrays again, three deep. None where it is not UTF-8.
    """
    try:
        whole = content.decode("utf-8")
    except ValueError:
        return []
    found, level = [whole], _strings_in(whole)
    for _ in range(NESTED):
        found += level
        level = [inner for text in level if text.lstrip(" \t\n\r")[:1] in ("{", "[") for inner in _strings_in(text)]
    return found + level


def _strings_in(text: str) -> list[str]:
    """The strings of a JSON text, keys apart; none where it does not parse, or nests too deep."""
    try:
        level = [_read_content(text)]
    except (ValueError, RecursionError):
        return []
    strings: list[str] = []
    for _ in range(_MAX_CONTENT_DEPTH + 1):
        strings += [item for item in level if isinstance(item, str)]
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return strings
    return []


# ---- 10. What the bundle says of accesses, erasures, holds and numbers

_LISTS = {
    "data/erasures.jsonl": {"erasure", "reseal", "retention", "restriction"},
    "data/holds.jsonl": {"hold"},
}
_ACCESSES, _TIE_OUT = "data/accesses.jsonl", "data/tie-out.csv"


def check_lists(bundle: Bundle, entries: Entries, accesses: set[str], counted: dict[str, int], result: Result) -> None:
    """Every item of these files is what a proven line or entry says."""
    for name, types in _LISTS.items():
        if name in bundle.sizes:
            result.guard(name, _check_list, bundle, name, types, entries, result)
    if _ACCESSES in bundle.sizes:
        for number, line in enumerate(bundle.lines(_ACCESSES), 1):
            where = f"{_ACCESSES}, line {number}"
            if result.guard(where, lambda data: canonical(data)["record"], line) not in accesses:
                result.add(TAMPERED, where, "is of no access record that is shown")
            result.checked["accesses"] += 1
    if _TIE_OUT in bundle.sizes:
        result.guard(_TIE_OUT, _check_tie_out, bundle, counted, result)


def _check_tie_out(bundle: Bundle, counted: dict[str, int], result: Result) -> None:
    rows = csv.reader(io.StringIO(bundle.read(_TIE_OUT).decode("utf-8"), newline=""), strict=True)
    for count, stated, *_ in rows:
        if count in counted and stated != str(counted[count]):
            result.add(TAMPERED, _TIE_OUT, f"states {count} as another number than the bundle holds")


def _check_list(bundle: Bundle, name: str, types: set[str], entries: Entries, result: Result) -> None:
    last = -1
    for number, line in enumerate(bundle.lines(name), 1):
        where, item = f"{name}, line {number}", canonical(line)
        entry = entries.get(item["index"])
        if entry is None or item["index"] <= last or entry["type"] not in types or entry != item["entry"]:
            raise CheckError(TAMPERED, where, "is not an entry of this sort that the log is proven to hold")
        last = item["index"]
        result.checked["entries repeated for reading"] += 1


# ---- 11. The sample

SAMPLING, SAMPLE = "data/sampling.json", "data/sample.csv"
_SAMPLE_HEADING = "rank,partition,row,record,stratum,replaces\n"
Draw = Tuple[str, int, int, str]  # noqa: UP006
"""A record of the sample: its stratum, rank, place in the population, and the record that it replaces, or ""."""


def draw_again(sampling: dict[str, Any], population: Rows, checkpoint: bytes) -> list[Draw]:
    """The sample that the stated seed draws from the population, by stratum and rank."""
    if (sampling["_"], sampling["algorithm"]) != ("evidence/sample/1", "hmac-sha256-order/1"):
        raise CheckError(UNVERIFIABLE, SAMPLING, "is not of a version that this program knows")
    key = _key_of_order(sampling["seed"], checkpoint)
    strata: dict[str, list[int]] = {}
    for at, stratum in enumerate(population.strata):
        strata.setdefault(stratum, []).append(at)
    drawn = allocate({text: len(strata[text]) for text in strata}, sampling["size"])
    stated = [{"drawn": drawn[text], "population": len(strata[text]), "stratum": text} for text in sorted(strata)]
    if sampling["strata"] != stated:
        raise CheckError(TAMPERED, SAMPLING, "states other strata than the population has")
    keyed = [hmac.new(key, record, "sha256").digest() for record in population.records]
    order = {text: sorted(places, key=lambda at: (keyed[at], at)) for text, places in strata.items()}
    sample = [(text, rank, at, "") for text in drawn for rank, at in enumerate(order[text][: drawn[text]], 1)]
    return sorted(sample + _replacements(sampling["replacements"], population, order, drawn))


def _key_of_order(seed: dict[str, str], checkpoint: bytes) -> bytes:
    kind = seed["kind"]
    if seed.keys() != {"kind", {"given": "seed", "nonce": "nonce"}[kind]}:
        raise ValueError("no seed")
    if kind == "given":
        return hashlib.sha256(b"evidence/sample-seed/1\n" + seed["seed"].encode("utf-8")).digest()
    return hashlib.sha256(b"evidence/sample-nonce/1\n" + checkpoint + seed["nonce"].encode("utf-8")).digest()


def allocate(counts: dict[str, int], size: int) -> dict[str, int]:
    """How many records each stratum gives. At least one, where ``size`` allows it: strata whose share is below one are
    given one and set aside, until no share of the others is. These give in proportion, by the largest remainder, of
    equal ones the first by name.
    """
    if type(size) is not int or size < 0:
        raise ValueError("no size")
    size, rest = min(size, sum(counts.values())), dict(counts)
    drawn: dict[str, int] = {}
    allows_all = size >= len(counts)
    while True:
        left, total = size - len(drawn), sum(rest.values())
        small = [text for text in rest if allows_all and left * rest[text] < total]
        if not small:
            break
        drawn.update(dict.fromkeys(small, 1))
        rest = {text: count for text, count in rest.items() if text not in drawn}
    shares = {text: left * count // total for text, count in rest.items()}
    by_remainder = sorted(rest, key=lambda text: (-(left * rest[text] % total), text))
    for text in by_remainder[: left - sum(shares.values())]:
        shares[text] += 1
    return {**drawn, **shares}


def _replacements(
    stated: list[dict[str, Any]], population: Rows, order: dict[str, list[int]], drawn: dict[str, int]
) -> list[Draw]:
    """Each replacement is the next record in the order of its stratum, for one that was taken and not yet replaced."""
    taken, places = dict(drawn), {record: at for at, record in enumerate(population.records)}
    found: list[Draw] = []
    for item in stated:
        at = places.get(from_hex(item["record"]), -1)
        stratum = population.strata[at]
        queue, rank = order[stratum], taken[stratum]
        known = at >= 0 and at in queue[:rank] and item["record"] not in {draw[3] for draw in found}
        if not known or rank >= len(queue) or population.records[queue[rank]].hex() != item["with"]:
            raise CheckError(TAMPERED, SAMPLING, "states a replacement that is not the next in order")
        taken[stratum] += 1
        found.append((stratum, rank + 1, queue[rank], item["record"]))
    return found


def check_sample(
    bundle: Bundle, population: Rows, checkpoint: Checkpoint, result: Result
) -> tuple[Rows, str | None] | None:
    """The rows of the sample, in the order of the population, drawn again and compared with sample.csv; and the field
    that its strata are of.
    """
    sampling = canonical(bundle.read(SAMPLING, _MAX_LIST))
    sample = result.guard(SAMPLING, draw_again, sampling, population, checkpoint.text)
    if sample is None:
        return None
    lines = [
        f"{rank},{population.partitions[at]},{population.rows[at]},{population.records[at].hex()},{csv_field(stratum)},"
        f"{replaces}"
        for stratum, rank, at, replaces in sample
    ]
    stated = list(bundle.lines(SAMPLE))
    for number, (found, line) in enumerate(zip(stated, [_SAMPLE_HEADING[:-1], *lines]), 1):  # noqa: B905 - likewise
        if found != line.encode("utf-8"):
            raise CheckError(TAMPERED, f"{SAMPLE}, line {number}", "is not what the seed draws")
    if len(stated) != len(lines) + 1:
        raise CheckError(TAMPERED, SAMPLE, "has another number of records than the seed draws")
    chosen = population.pick(sorted(at for _, _, at, _ in sample))
    result.checked["records drawn again"] += len(sample)
    return chosen, sampling["stratify"]


def csv_field(text: str) -> str:
    """A field as a list writes it."""
    return '"{}"'.format(text.replace('"', '""')) if set(text) & set(',"') else text


# ---- 12. The attestation: an in-toto statement about manifest-sha256.txt in a DSSE envelope

ATTESTATION, TOKEN = "attestation.dsse.json", "attestation.tsr"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_ATTESTED = ("checkpoint", "completeness", "content", "origin", "selection")


def check_attestation(bundle: Bundle, stated: dict[str, Any], entries: Entries, result: Result) -> None:
    """A key that the log enrols for bundles has signed the digest of the manifest, and so of every file under data/."""
    envelope = json.loads(bundle.read(ATTESTATION).decode("utf-8"), parse_constant=_refuse_number)
    payload = from_base64(envelope["payload"])
    kind = envelope["payloadType"].encode("utf-8")
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    holders = [_key_of(vkey) for vkey in _holders(entries, "bundle", max(entries, default=0) + 1)]
    keys = {key.key_id.hex(): key for key in holders}
    signatures = [(keys.get(item["keyid"]), from_base64(item["sig"])) for item in envelope["signatures"][:64]]
    known = [(key, signature) for key, signature in signatures if key is not None]
    if not known:
        raise CheckError(TAMPERED, ATTESTATION, "is signed by no key that the log enrols for bundles")
    if not all(ed25519_verifies(key.public, signed, signature) for key, signature in known):
        raise CheckError(TAMPERED, ATTESTATION, "has a signature that does not verify")
    statement = json.loads(payload.decode("utf-8"), parse_constant=_refuse_number)
    digest = hashlib.sha256(bundle.read(MANIFEST, _MAX_LIST)).hexdigest()
    if (
        kind.decode() != _PAYLOAD_TYPE
        or statement["_type"] != "https://in-toto.io/Statement/v1"
        or statement["subject"] != [{"digest": {"sha256": digest}, "name": MANIFEST}]
    ):
        raise CheckError(TAMPERED, ATTESTATION, f"is not about this {MANIFEST}")
    predicate = statement["predicate"]
    if statement["predicateType"] != "urn:evidence:bundle:2" or any(
        predicate.get(name) != stated.get(name) for name in _ATTESTED
    ):
        raise CheckError(TAMPERED, ATTESTATION, f"says something else than {STATEMENT}")
    result.checked["signatures"] += 1
    result.attested = f"by the bundle key {known[0][0].name}+{known[0][0].key_id.hex()}"


# ---- 13. A certificate of erasure: a statement, signed, about entries that the log is proven to hold

_CERTIFICATE, _PLAN, _BEFORE, _BEFORE_PROOF = (
    f"data/{name}" for name in ("certificate", "plan.json", "before", "before.json")
)
_APPROVAL = "evidence/approval/1"
_SSH_NAMESPACE, _SSH_KEY = b"evidence-approval", b"ssh-ed25519"


def check_certificate(
    bundle: Bundle, checkpoint: Checkpoint, entries: dict[int, dict[str, Any]], result: Result
) -> None:
    """What a certificate states of plan, approvals and erasure is what the log's entries say."""
    stated = _signed_statement(bundle, checkpoint.origin, entries, result)
    result.statement = stated
    plan = bundle.read(_PLAN, _MAX_LIST)
    digest = hashlib.sha256(plan).hexdigest()
    planned = _entry_of(entries, stated["entries"]["planned"], "request", stated["request"])
    if not digest == stated["plan"] == planned["plan"]["blob"]:
        raise CheckError(TAMPERED, _PLAN, "is not the plan that the log and the certificate name")
    result.checked["rows of the plan"] += _check_outcomes(canonical(plan), stated)
    _check_approvals(stated, planned, entries, checkpoint.origin, result)
    _check_acts(stated, entries, result)
    _check_before(bundle, checkpoint, stated, result)


def _signed_statement(
    bundle: Bundle, origin: str, entries: dict[int, dict[str, Any]], result: Result
) -> dict[str, Any]:
    """The statement in ``certificate``: three lines, signed by a key that the log enrols for certificates."""
    text, signatures = _split_note(bundle.read(_CERTIFICATE, _MAX_LIST))
    kind, named, statement = text.decode("utf-8").split("\n")[:3]
    if (kind, named) != (CERTIFICATE, origin):
        raise CheckError(
            UNVERIFIABLE, _CERTIFICATE, "is of another log, or of a version that this program does not know"
        )
    keys = [_key_of(vkey) for vkey in _holders(entries, "certificate", max(entries, default=0) + 1)]
    if not any(_signed_by(key, text, signatures, _CERTIFICATE) for key in keys):
        raise CheckError(TAMPERED, _CERTIFICATE, "is signed by no key that the log enrols for certificates")
    result.checked["signatures"] += 1
    stated = canonical(statement.encode())
    if stated["_"] != CERTIFICATE or stated["origin"] != origin:
        raise CheckError(TAMPERED, _CERTIFICATE, "is no statement of this log")
    return stated


def _key_of(vkey: str) -> Key:
    try:
        return parse_key(vkey)
    except UsageError:
        raise CheckError(TAMPERED, _ENTRIES, "an entry names a key that is none") from None


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
        raise CheckError(TAMPERED, _CERTIFICATE, f"names entry {index}, which is no {kind} entry of this request")
    return entry


def _check_outcomes(plan: dict[str, Any], stated: dict[str, Any]) -> int:
    """The number of rows by outcome and basis is that of the plan."""
    rows = [*plan["rows"], *plan["redactions"]]
    found = Counter((row["outcome"], row["basis"]) for row in rows)
    listed = {(item["outcome"], item["basis"]): item["rows"] for item in stated["outcomes"]}
    if listed != found:
        raise CheckError(TAMPERED, _CERTIFICATE, "states other outcomes than the plan")
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
            raise CheckError(TAMPERED, _CERTIFICATE, f"approval {index} is of another plan, or came too late")
        if details["vkey"] not in _holders(entries, "approver", index) or key.public in barred:
            raise CheckError(TAMPERED, _CERTIFICATE, f"approval {index} is by no approver apart from who planned")
        if not _approves(details["scheme"], key.public, text, from_base64(details["signature"])):
            raise CheckError(TAMPERED, _CERTIFICATE, f"approval {index} has a signature that does not verify")
        result.checked["approvals"] += 1
    if not result.checked["approvals"]:
        raise CheckError(TAMPERED, _CERTIFICATE, "nobody else has approved the plan")


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
    if type(stated["subjects"]) is not list:
        raise ValueError("no list of people")
    for index in stated["entries"]["erasure"]:
        entry = _entry_of(entries, index, "erasure", request)
        if entry.get("plan") != stated["plan"]:
            raise CheckError(TAMPERED, _CERTIFICATE, f"entry {index} erased by another plan")
        named.update(entry["subjects"])
    if stated["erased"]["everywhere"] and not named.issuperset(stated["subjects"]):
        raise CheckError(TAMPERED, _CERTIFICATE, "names people whose keys no entry says were destroyed")
    redacted = sum(
        len(_entry_of(entries, index, "reseal", request)["redacted"]) for index in stated["entries"]["reseal"]
    )
    if redacted != stated["erased"]["redacted"]:
        raise CheckError(TAMPERED, _CERTIFICATE, "states another number of redacted records than the log")
    ended = stated["backups"]["entry"]
    if ended is not None:
        epoch = entries.get(ended, {}).get("epoch") or {}
        if (
            ended < max(stated["entries"]["erasure"], default=-1)
            or epoch.get("unreadable_at") != stated["backups"]["unreadable_at"]
        ):
            raise CheckError(TAMPERED, _CERTIFICATE, "states another date for backups than the log")
    looked = stated["negative_check"]
    if looked["opened"] or looked["found"] or looked["mentioned"]:
        raise CheckError(UNVERIFIABLE, _CERTIFICATE, "the store itself still found something of what it erased")
    result.checked["acts of erasure"] += len(stated["entries"]["erasure"]) + len(stated["entries"]["reseal"])


def _check_before(bundle: Bundle, checkpoint: Checkpoint, stated: dict[str, Any], result: Result) -> None:
    """The checkpoint from before the erasure is continued by the one of now."""
    before = parse_checkpoint(bundle.read(_BEFORE))
    acts = [*stated["entries"]["erasure"], *stated["entries"]["reseal"]]
    claimed = {"root": before.root.hex(), "size": before.size}
    if (
        claimed != stated["before"]
        or before.origin != checkpoint.origin
        or before.size > min(acts, default=before.size)
    ):
        raise CheckError(TAMPERED, _BEFORE, "is not the checkpoint from before the erasure")
    if before.size < checkpoint.size:
        proof = canonical(bundle.read(_BEFORE_PROOF))
        hashes = [from_hex(item) for item in proof["hashes"]]
        if not is_consistent(before.size, before.root, checkpoint.size, checkpoint.root, hashes):
            raise CheckError(TAMPERED, _BEFORE_PROOF, "does not lead from the earlier checkpoint to this one")
    result.checked["consistency with the time before"] += 1


# ---- The whole check, and how it is reported


def check(
    path: str, keys: Sequence[Key] = (), pin: Pin | None = None, strict: bool = False, max_size: int = MAX_SIZE
) -> Result:
    """Check the bundle at ``path``, a zip or a folder. Raises UsageError if there is nothing to read."""
    result = Result(strict)
    collects = gc.isenabled()
    gc.disable()  # nothing here refers to itself, and to look for what does takes half of the time
    try:
        result.guard("bundle", _check_all, path, keys, pin, max_size, result)
    finally:
        if collects:
            gc.enable()
    return result


def _check_all(path: str, keys: Sequence[Key], pin: Pin | None, max_size: int, result: Result) -> None:
    with open_bundle(path, max_size) as bundle:
        if not bundle.sizes:
            raise CheckError(NOTHING_THERE, "bundle", "holds no file")
        sums = read_manifests(bundle, result)
        stated = result.guard(STATEMENT, check_statement, bundle)
        checkpoint = result.guard(CHECKPOINT, check_checkpoint, bundle, keys, pin, result)
        if stated is not None and checkpoint is not None:
            result.guard("bundle", _check_proofs, bundle, stated, checkpoint, result)
        check_files(bundle, sums, result)
        if stated is not None and checkpoint is not None:
            result.proven, result.not_proven = _words(stated, TOKEN in bundle.sizes, result)


def _check_proofs(bundle: Bundle, stated: dict[str, Any], checkpoint: Checkpoint, result: Result) -> None:
    """Sections 5 to 13."""
    result.guard("bag-info.txt", check_bag_info, bundle, result)
    for name in sorted(name for name in bundle.sizes if name.startswith("data/") and not _belongs(name, stated)):
        result.add(TAMPERED, name, f"has no place in a bundle such as {STATEMENT} says that it is")
    whole = stated.get("completeness") == "whole"
    found = result.guard(_ENTRIES, check_entries, bundle, checkpoint, whole, result)
    entries, extras = found or ({}, {})
    if stated["_"] == CERTIFICATE:
        result.guard(_CERTIFICATE, check_certificate, bundle, checkpoint, entries, result)
    elif found:
        result.guard(STATEMENT, _check_records, bundle, stated, checkpoint, entries, extras, result)
    result.guard(STATEMENT, _check_claims, stated, entries, result)
    if stated["_"] == BUNDLE and ATTESTATION not in bundle.sizes:
        result.add(TAMPERED, ATTESTATION, "is missing from the bundle: nobody vouches for the files as a whole")
    elif ATTESTATION in bundle.sizes:
        result.guard(ATTESTATION, check_attestation, bundle, stated, entries, result)


_OF_BUNDLES = (POPULATION, RECORDS, CONTEXT, CONTEXT_LINES, *_LISTS, _ACCESSES, _TIE_OUT)
_OF_CERTIFICATES = (_CERTIFICATE, _PLAN, _BEFORE, _BEFORE_PROOF)
_OF_BOTH = (STATEMENT, "data/checkpoint", "data/log.vkey", "data/policy", "data/consistency.json", _ENTRIES)
_UNCHECKED = ("records.parquet", "queries.sql", "controls.json", "controls.xlsx", "oscal-assessment-results.json")


def _belongs(name: str, stated: dict[str, Any]) -> bool:
    """Whether a file under data/ has a place in such a bundle."""
    if name in _OF_BOTH or name.startswith("data/proofs/"):
        return True
    if stated["_"] == CERTIFICATE:
        return name in _OF_CERTIFICATES
    if name in (SAMPLING, SAMPLE):
        return bool(stated["sampled"])
    if name in (CONTENT, REPLAY) or name.startswith("data/content/"):
        return bool(stated["content"] != "none")
    return name in _OF_BUNDLES or name[len("data/") :] in _UNCHECKED


def _check_records(
    bundle: Bundle,
    stated: dict[str, Any],
    checkpoint: Checkpoint,
    entries: Entries,
    extras: dict[int, bytes],
    result: Result,
) -> None:
    """Sections 6 to 11."""
    selection, content = stated["selection"], stated["content"]
    population = result.guard(POPULATION, read_rows, bundle, POPULATION)
    context = result.guard(CONTEXT, read_rows, bundle, CONTEXT) if CONTEXT in bundle.sizes else Rows()
    if population is None or context is None:
        return
    proven = check_rows(population, context, entries, extras, result)
    if stated["completeness"] == "whole":
        result.guard(STATEMENT, check_whole, selection, entries, (population, context), proven, result)
    sample = (population, None)
    if stated["sampled"]:
        sample = result.guard(SAMPLE, check_sample, bundle, population, checkpoint, result)
    if sample is None:
        return
    shown, field = sample
    judge = judge_selected(selection, shown, field)
    lines = result.guard(RECORDS, check_lines, bundle, RECORDS, shown, judge, content != "none", result)
    beside = None
    if len(context) or CONTEXT_LINES in bundle.sizes:
        apart = judge_apart(selection)
        beside = result.guard(CONTEXT_LINES, check_lines, bundle, CONTEXT_LINES, context, apart, False, result)
    lines, beside = lines or Lines({}, set()), beside or Lines({}, set())
    if content != "none":
        contents = Contents(bundle, shown, lines, entries, content == "sealed")
        result.guard(CONTENT, _check_contents, contents, result)
    counted = {"population": len(population), "records": len(shown)}
    result.guard("data", check_lists, bundle, entries, lines.accesses | beside.accesses, counted, result)


def _check_contents(contents: Contents, result: Result) -> None:
    contents.read(result)
    claims = result.guard(REPLAY, read_replay, contents, result) if REPLAY in contents.bundle.sizes else {}
    contents.check(claims or {}, result)


def _check_claims(stated: dict[str, Any], entries: Entries, result: Result) -> None:
    """What the bundle says of itself, in numbers, is what was found."""
    is_bundle = stated["_"] == BUNDLE
    result.completeness = stated.get("completeness", "")
    names = ("complete partitions", "context", "partitions", "population", "records") if is_bundle else ()
    found = {name.replace(" ", "_"): result.checked.get(name, 0) for name in ("entries", *names)}
    log = {"origin": result.origin, "root": result.root, "size": result.size}
    if result.verdict not in (TAMPERED, LOST) and (
        stated["counts"] != ({**found, "contents": dict(result.contents)} if is_bundle else found)
        or stated["checkpoint"] != log
    ):
        result.add(TAMPERED, STATEMENT, "states other counts or another checkpoint than the bundle holds")
    first = entries.get(0, {})
    if (stated["origin"], stated["store"]) != (result.origin, first.get("store")) or first["origin"] != result.origin:
        result.add(TAMPERED, STATEMENT, "states another origin or store than the log's first entry")
    if is_bundle and not found["population"]:
        result.add(NOTHING_THERE, "bundle", "holds no record that could be checked")


PROVEN = {
    "records": "Records: every line is unchanged since it was taken in. It leads to the root of its partition, this to"
    " an entry of the log, this to the checkpoint.",
    "whole": "Completeness up to the checkpoint: every entry of the log is here, and all rows of every partition that"
    " can hold a record of this selection; none that belongs to it is left out. With a period, partitions are told"
    " apart by the time range that their entries state.",
    "sampled": "The sample: it is the one that the stated seed draws from the population.",
    "disclosed": "Content: what is disclosed is what its record commits to, and texts that are called verbatim occur"
    " in it.",
    "sealed": "Content: its places and sizes only; it is sealed.",
    "attested": "The files under data/: they are those that the bundle key of the log's store has signed.",
}
NEVER_PROVEN = (
    "That the sources logged what happened, or all of it: records are unchanged since ingest, no more.",
    "Times: they are what the sources and the store's writer stated.",
    "Who committed an entry, and when: the signed commits are in the store, not in the bundle.",
    "README.txt, verify.py, report.html, report.pdf and bag-info.txt: no signature covers them.",
    "That the checkpoint is the newest one.",
)
NOT_PROVEN = {
    "shown": "Completeness: that no other row of the log belongs to this selection.",
    "views": "Views (records.parquet, controls, queries.sql, replay texts that are called arranged): they are the"
    " exporter's, and attested as such.",
    "unsampled": "That the records of the population whose lines are not shown belong to the selection, or to their"
    " stratum.",
    "query": "That the records are what the query or control selects: the lines alone do not tell.",
    "ended": "That what ended, altered or restricted content was committed by a key with that role, and that it names"
    " this very row: verify the store for this.",
    "sealed": "Content: it is sealed, and this program opens none. report.html and `evidence verify-bundle` do, with a"
    " grant.",
    "token": "The timestamp token: check attestation.tsr with openssl ts, as README.txt says.",
    "unattested": "The files as a whole: no key has signed them together.",
}
NOT_CERTIFIED = (
    "That no copy of a destroyed key exists anywhere else: keys leave no trace when they are copied.",
    "That the plan lists every record of these people, and every mention of them.",
    "What the store looked for afterwards, and whom it handed records to before: that is its word.",
    "Times: they are what the store's writer stated.",
    "Who committed an entry, and when: the signed commits are in the store, not in the certificate.",
    "README.txt, verify.py, bag-info.txt and the commit numbers: no signature covers them.",
    "That the checkpoint is the newest one.",
)


def stated_words(completeness: str, content: str, sampled: bool, selection: str) -> tuple[list[str], list[str]]:
    """What such a bundle proves, and what it does not, before anything of it was checked: for data/bundle.json."""
    proven = ["records", *(["whole"] if completeness == "whole" else []), *(["sampled"] if sampled else [])]
    proven += [content] if content != "none" else []
    without = [*(["shown"] if completeness == "shown" else []), "views", *(["unsampled"] if sampled else [])]
    without += [*(["query"] if selection in ("query", "control") else []), *(["sealed"] if content == "sealed" else [])]
    return [PROVEN[name] for name in [*proven, "attested"]], [*NEVER_PROVEN, *(NOT_PROVEN[name] for name in without)]


def _words(stated: dict[str, Any], token: bool, result: Result) -> tuple[list[str], list[str]]:
    """What was proven of this bundle, and what was not. Nothing is, where anything is wrong."""
    tail = [NOT_PROVEN["token"]] if token else []
    if stated["_"] == CERTIFICATE:
        return [], [*NOT_CERTIFIED, *([] if result.attested else [NOT_PROVEN["unattested"]]), *tail]
    proven, words = stated_words(
        stated["completeness"], stated["content"], stated["sampled"], stated["selection"]["type"]
    )
    if set(result.contents) & {"erased", "expired", "redacted", "restricted"}:
        words.append(NOT_PROVEN["ended"])
    shown, records = result.checked["contents"], result.checked["records"]
    if stated["content"] != "sealed" and shown < records:
        words.append(
            f"Content: {shown} of {_count(records, 'record')} have theirs in the bundle, the others a commitment to it."
        )
    return (proven if result.verdict == INTACT else []), words + tail


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
        lines += [f"Trust: {result.grade}", f"Attested: {result.attested or 'no'}", ""]
    lines += ["Checked:"] + [f"{number:>13,}  {what}" for what, number in result.checked.items()]
    if result.statement:
        lines += _certified(result.statement)
    if result.contents:
        lines += ["Contents:"] + [f"{n:>13,}  {state}" for state, n in sorted(result.contents.items())]
    lines += ["", "Proven:"] + ["  - " + words for words in result.proven] if result.proven else []
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

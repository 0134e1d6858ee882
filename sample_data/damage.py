"""A log file that was saved from a gateway that crashed: good lines, and four that are not."""

from __future__ import annotations

import random

_BINARY_BYTES = 180


def with_defects(lines: list[bytes]) -> list[bytes]:
    """The lines (each with its newline) with four damaged ones among them.

    A line cut off in the middle of a value, a line of binary, an object that says ``status`` twice, and a line
    in Windows-1252 where UTF-8 was promised. Each damaged line is an altered copy, so no good line is lost.
    """
    truncated = lines[0][: len(lines[0]) * 3 // 5] + b"\n"
    random_bytes = random.Random("a bad sector")
    binary = bytes(int(random_bytes.random() * 256) for _ in range(_BINARY_BYTES)).replace(b"\n", b"\x00") + b"\n"
    twice = _copy(lines[1], b"twice").replace(b'"status":"ok"', b'"status":"ok","status":"error"')
    latin = _copy(lines[2], b"latin").replace("€".encode(), b"\x80")
    return [*lines[:2], truncated, *lines[2:3], binary, *lines[3:5], twice, latin, *lines[5:]]


def _copy(line: bytes, mark: bytes) -> bytes:
    """The line as a record of its own: with another id."""
    return line.replace(b'"id":"', b'"id":"copy-' + mark + b"-", 1)

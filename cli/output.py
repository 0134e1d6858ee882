"""Printing: JSON with a schema version for scripts, plain text and tables for people."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

VERSION: Final = 1


class ReaderGoneError(Exception):
    """Who read stdout has closed it. No OSError: typer would end with 1, which here means tampered."""


class OutputFailedError(Exception):
    """Stdout cannot be written, for a reason in words. No OSError: which file failed would be unclear."""


def emit(command: str, data: dict[str, Any]) -> None:
    """One JSON object on stdout: ``schema`` names the command and the version of its fields.

    Always UTF-8; what UTF-8 or 64 bits cannot hold (a byte of a file name, a large integer) is written all the same.
    """
    import orjson

    body = {"schema": f"evidence/{command}/{VERSION}", **data}
    try:
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2, default=_plain)
    except TypeError:
        import json

        text = json.dumps(body, indent=2, default=_plain).encode()
    with _to_stdout():
        sys.stdout.flush()
        sys.stdout.buffer.write(text + b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return str(value)


def say(text: str = "") -> None:
    """A line on stdout. What a terminal cannot show is replaced, never an error."""
    encoding = sys.stdout.encoding or "utf-8"
    with _to_stdout():
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


@contextmanager
def _to_stdout() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OutputFailedError(error.strerror) from None


def note(text: str) -> None:
    """A line on stderr: for people, not for scripts. Where it cannot be written, the exit code has to do."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows as an aligned table on stdout, one line a row; hostile text is made visible before it comes here.

    No cell is folded or cut, so that ids can be copied and scripts can count on lines: what is wider than the terminal
    is printed one column a line.
    """
    from rich.cells import cell_len

    listed = [list(row) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(headers, *listed, strict=True)]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size().columns:
        _vertically(headers, listed)
        return
    for row in (headers, *listed):
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def _vertically(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows as ``column  value`` lines, an empty line between two rows."""
    width = max(map(len, headers))
    for number, row in enumerate(rows):
        if number:
            say()
        for header, cell in zip(headers, row, strict=True):
            say(f"{header:<{width}}  {cell}".rstrip())


@contextmanager
def progress(label: str) -> Iterator[Callable[[str], None]]:
    """A status line on stderr while something runs: only on a terminal."""
    if not sys.stderr.isatty():
        yield _quiet
        return
    from rich.console import Console

    with Console(stderr=True).status(label) as status:
        yield lambda text: status.update(f"{label} {text}")


def _quiet(_text: str) -> None:
    """Progress that nobody watches."""


def count(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 record``, ``2,000 records``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size(number: int) -> str:
    """Bytes for people."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"

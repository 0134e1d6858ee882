"""Printing: JSON with a schema version for scripts, plain text and tables for people."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

VERSION: Final = 1


class ReaderGoneError(Exception):
    """Who read stdout has closed it. No OSError: typer would end with 1, which here means tampered."""


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
    sys.stdout.flush()
    _write(sys.stdout.buffer.write, text + b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return str(value)


def say(text: str = "") -> None:
    """A line on stdout. What a terminal cannot show is replaced, never an error."""
    encoding = sys.stdout.encoding or "utf-8"
    _write(sys.stdout.write, text.encode(encoding, "replace").decode(encoding) + "\n")


def _write(write: Callable[[Any], object], data: str | bytes) -> None:
    try:
        write(data)
    except BrokenPipeError:
        raise ReaderGoneError from None


def note(text: str) -> None:
    """A line on stderr: for people, not for scripts."""
    sys.stderr.write(f"{text}\n")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows as an aligned table on stdout; hostile text is made visible before it comes here."""
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else 200
    drawn = io.StringIO()
    Console(file=drawn, width=width, highlight=False, force_terminal=terminal).print(made)
    say(drawn.getvalue().removesuffix("\n"))


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

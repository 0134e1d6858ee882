"""Printing: JSON with a schema version for scripts, plain text and tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

VERSION: Final = 1


def emit(command: str, data: dict[str, Any]) -> None:
    """One JSON object on stdout: ``schema`` names the command and the version of its fields."""
    import orjson

    body = {"schema": f"evidence/{command}/{VERSION}", **data}
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2, default=_plain).decode()
    say(text)


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return str(value)


def say(text: str = "") -> None:
    """A line on stdout. What a terminal cannot show is replaced, never an error."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def note(text: str) -> None:
    """A line on stderr: for people, not for scripts."""
    sys.stderr.write(f"{text}\n")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows as an aligned table on stdout; hostile text is made visible before it comes here."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, highlight=False).print(made)


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

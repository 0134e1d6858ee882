"""Own patterns of the settings, in the syntax of Rust's regex, which takes linear time whatever pattern and text are.

With Python's own one careless pattern could stop a scan for ever. Polars, which the product has anyway, has this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ledger.errors import ConfigError
from replay.detectors.values import Found
from replay.surfaces import Span

_BEGIN: Final = "\ufdd0"
_END: Final = "\ufdd1"
"""Characters that Unicode keeps for use inside a program: they mark what matched."""


def finder(name: str, kind: str, pattern: str) -> Callable[[Sequence[str]], Iterator[list[Found]]]:
    """What finds a pattern in texts. Raises ConfigError for one that is none, or that matches an empty text."""
    import polars as pl

    marking = pl.col("text").str.replace_all(pattern, f"{_BEGIN}${{0}}{_END}")

    def marked(texts: Sequence[str]) -> list[str]:
        return pl.DataFrame({"text": [_clean(text) for text in texts]}).select(marking)["text"].to_list()

    def find(texts: Sequence[str]) -> Iterator[list[Found]]:
        for text, with_marks in zip(texts, marked(texts), strict=True):
            yield [(kind, text[start:end], start, end) for start, end in _spans(with_marks)]

    try:
        empty = marked([""]) != [""]
    except pl.exceptions.PolarsError:
        raise ConfigError(
            f"the pattern of detector {name} cannot be used",
            hint="Patterns are those of Rust's regex: without look-around and back-references.",
        ) from None
    if empty:
        raise ConfigError(f"the pattern of detector {name} matches an empty text")
    return find


def _clean(text: str) -> str:
    """Without what is no Unicode, and without the marks; as many characters as before."""
    return text.replace(_BEGIN, " ").replace(_END, " ").encode("utf-8", "replace").decode()


def _spans(marked: str) -> Iterator[Span]:
    """Where the marks stand, counted without them."""
    at = marked.find(_BEGIN)
    removed = 0
    while at >= 0:
        end = marked.find(_END, at)
        if end - at > 1:
            yield at - removed, end - removed - 1
        removed += 2
        at = marked.find(_BEGIN, end)

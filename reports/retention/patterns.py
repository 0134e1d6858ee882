"""Patterns by which a rule names classes, sources and kinds: text in which ``*`` stands for any letters."""

from __future__ import annotations

from typing import Final

_EXACT: Final = 1 << 16
"""More than a pattern with wild cards can have letters."""


def letters(pattern: str) -> int:
    """How specific a pattern is: an exact one above all others, then by the number of its letters."""
    return _EXACT if "*" not in pattern else len(pattern.replace("*", ""))


def fits(pattern: str, value: str) -> bool:
    """Whether a text, which has no ``*``, fits a pattern: in the time of their lengths' product, whatever they are."""
    return overlap(pattern, value) if "*" in pattern else pattern == value


def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns."""
    if "*" not in one + other:
        return one == other
    # reached[j]: the beginning of ``one`` so far and ``other[:j]`` fit a text in common.
    reached = [True]
    for letter in other:
        reached.append(reached[-1] and letter == "*")
    for letter in one:
        row = [reached[0] and letter == "*"]
        for at, against in enumerate(other, start=1):
            either = (letter == "*" and (reached[at] or row[at - 1])) or (
                against == "*" and (row[at - 1] or reached[at])
            )
            row.append(either or (letter == against and reached[at - 1]))
        reached = row
    return reached[-1]

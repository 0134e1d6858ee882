"""Searching for what is known of a person, however it is spelled: in a caseless, normalised text (replay.surfaces).

Numbers are found with anything usual between their digits, telephone numbers with and without a country's code, names
in either order, with other white space, and where their parts stand in neighbouring fields of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ledger.keyring.identifiers import Identifier, normalise
from replay.surfaces import Span, fold

FEWEST: Final = 3
"""Characters of a value that is searched for: shorter ones stand in every text."""
_LONGEST: Final = 512
_GAP: Final = r"(?:[\s.\-/]|\s?[()]\s?)?"
_TRUNK: Final = rf"(?:\(?0\)?{_GAP})?"
_BETWEEN: Final = r"(?:[\s.,_\-+]{1,4}|%20)"
_FIELDS: Final = r'"\s{0,4},\s{0,20}"\w{1,32}"\s{0,4}:\s{0,4}"'
_SHORTEST_NUMBER: Final = 6
"""Digits of a telephone number; fewer are searched for like any other value."""


class Term:
    """One value to look for. ``spans`` gives the places in a text; a name in two fields has two."""

    def __init__(self, identifier: Identifier) -> None:
        self.identifier = identifier
        self._pattern = re.compile(_pattern(identifier))

    def spans(self, text: str) -> Iterator[Span]:
        """Where it stands, part by part where something of the text's own stands between its parts."""
        for match in self._pattern.finditer(text):
            parts = [match.span(number) for number in range(1, (match.re.groups or 0) + 1) if match[number] is not None]
            yield from parts or [match.span()]


def terms(identifiers: Iterator[Identifier] | list[Identifier], names: Iterator[str] | list[str]) -> list[Term]:
    """Terms for identifiers and names, each once; without those that are too short to be looked for."""
    wanted = [*identifiers, *(Identifier("name", name) for name in names)]
    distinct = dict.fromkeys(normalise(item) for item in wanted)
    return [Term(item) for item in distinct if FEWEST <= len(fold(item.value).strip()) <= _LONGEST]


def _pattern(identifier: Identifier) -> str:
    kind, value = identifier.type, fold(identifier.value).strip()
    digits = "".join(filter(str.isdigit, value))
    if kind == "phone" and len(digits) >= _SHORTEST_NUMBER:
        return _phone(digits, international=value.startswith("+"))
    if kind in ("iban", "card"):
        return rf"(?<![^\W_]){_spaced(filter(str.isalnum, value), '[ -]?')}(?![^\W_])"
    if kind == "name":
        return _name([re.escape(part) for part in re.split(r"[\s,]+", value) if part])
    return _bounded(value)


def _spaced(characters: Iterator[str] | str, gap: str) -> str:
    return gap.join(map(re.escape, characters))


def _phone(digits: str, *, international: bool) -> str:
    """In full, with or without a trunk zero; or as dialled in its country, whose code has one to three digits."""
    forms = []
    if international:
        for code in (1, 2, 3):
            home = digits[code:]
            if len(home) >= _SHORTEST_NUMBER:
                abroad = rf"(?:(?:\+|00)?{_GAP}{_spaced(digits[:code], _GAP)}{_GAP})?"
                forms.append(rf"{abroad}{_TRUNK}{_spaced(home, _GAP)}")
    else:
        home = digits.removeprefix("0")
        forms.append(rf"(?:(?:\+|00)\d{{1,3}}{_GAP})?{_TRUNK}{_spaced(home, _GAP)}")
    return rf"(?<!\d)(?:{'|'.join(forms or [_spaced(digits, _GAP)])})(?!\d)"


def _bounded(value: str) -> str:
    body = r"\s+".join(map(re.escape, value.split()))
    before = r"(?<![\w])" if value[0].isalnum() else ""
    after = r"(?![\w])" if value[-1].isalnum() else ""
    return before + body + after


def _name(parts: list[str]) -> str:
    """The parts in their order, or the last one first; each way either as running text or in neighbouring fields."""
    if len(parts) == 1:
        return rf"(?<![^\W_]){parts[0]}(?![^\W_])"
    orders = [parts, [parts[-1], *parts[:-1]]]
    text = "|".join(_BETWEEN.join(order) for order in orders)
    first, last = r"\s+".join(parts[:-1]), parts[-1]
    fields = "|".join(rf"({one}){_FIELDS}({other})" for one, other in ((first, last), (last, first)))
    return rf"(?<![^\W_])(?:{text}|{fields})(?![^\W_])"

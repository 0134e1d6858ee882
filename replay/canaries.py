"""Canaries: invented people, written in content in many ways, to measure what share of mentions a search finds.

The share that is stated with a result is measured in the same process, by the same code, on these. It says how well
known spellings are found; nobody can say how often people write otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from ledger.keyring.identifiers import Identifier
from replay.search import matches
from replay.spelling import terms

PEOPLE: Final = (
    {
        "email": "Mirjam.Vogt@example.org",
        "phone": "+44 20 7946 0958",
        "iban": "GB82 WEST 1234 5698 7654 32",
        "card": "4111 1111 1111 1111",
        "user_id": "HV-104417",
        "name": "Mirjam Vogt",
    },
    {
        "email": "zoë.özdemir@beispiel.example",
        "phone": "0049 30 90182 0456",
        "iban": "DE89 3704 0044 0532 0130 00",
        "card": "5500-0055-5555-5559",
        "user_id": "zoe_ozdemir_2291",
        "name": "Zoë Marie Özdemir",
    },
)
"""What is invented is reserved for that (RFC 2606, numbers for fiction) or a published example."""

_WIDE: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}

Spell = Callable[[str], str]


def _decomposed(value: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFD", value)


def _digits(value: str) -> str:
    return "".join(filter(str.isdigit, value))


def _home(value: str) -> str:
    """A telephone number as it is dialled within its country, of a code with two digits."""
    return "0" + _digits(value).removeprefix("00")[2:]


ANY: Final[dict[str, Spell]] = {
    "as it is": lambda value: value,
    "capitals": str.upper,
    "small letters": str.lower,
    "full width": lambda value: value.translate(_WIDE),
    "decomposed": _decomposed,
    "a zero-width space inside": lambda value: f"{value[:3]}\u200b{value[3:]}",
}
"""Ways to write any value, by what they are called."""

BY_TYPE: Final[dict[str, dict[str, Spell]]] = {
    "email": {"in angle brackets": lambda value: f"<{value}>", "as a link": lambda value: f"mailto:{value}"},
    "phone": {
        "digits alone": lambda value: "+" + _digits(value).removeprefix("00"),
        "with hyphens": lambda value: value.replace(" ", "-"),
        "with dots": lambda value: value.replace(" ", "."),
        "at home": _home,
        "at home, in groups": lambda value: f"({_home(value)[:3]}) {_home(value)[3:7]} {_home(value)[7:]}",
        "trunk zero in brackets": lambda value: f"+{_digits(value).removeprefix('00')[:2]} (0){_home(value)[1:]}",
    },
    "iban": {"compact": lambda value: value.replace(" ", ""), "with hyphens": lambda value: value.replace(" ", "-")},
    "card": {
        "compact": _digits,
        "with spaces": lambda value: " ".join(_digits(value)[at : at + 4] for at in (0, 4, 8, 12)),
    },
    "user_id": {"in brackets": lambda value: f"({value})", "in a path": lambda value: f"/customers/{value}/orders"},
    "name": {
        "last name first": lambda value: f"{value.split()[-1]}, {' '.join(value.split()[:-1])}",
        "over a line": lambda value: value.replace(" ", "\n"),
        "a no-break space": lambda value: value.replace(" ", "\xa0"),
        "underscores": lambda value: value.replace(" ", "_"),
        "possessive": lambda value: f"{value}'s",
    },
}

MISSPELT: Final[dict[str, Spell]] = {
    "a letter left out": lambda value: value[:3] + value[4:],
    "two letters exchanged": lambda value: value[:2] + value[3] + value[2] + value[4:],
}
"""What no search here finds: they are planted all the same, and counted."""

PLACES: Final[dict[str, Callable[[str], bytes]]] = {
    "text": lambda text: f"Please note: {text} called twice.".encode(),
    "JSON": lambda text: json.dumps({"role": "user", "content": f"I am {text}, hello"}, ensure_ascii=False).encode(),
    "JSON with escapes": lambda text: json.dumps({"role": "user", "content": f"I am {text}, hello"}).encode(),
    "JSON within JSON": lambda text: json.dumps({"arguments": json.dumps({"who": text, "n": 4})}).encode(),
}


class Canary(msgspec.Struct, frozen=True):
    """A mention planted in content: of what, written how and where."""

    identifier: Identifier
    spelling: str
    place: str
    content: bytes


class Recall(msgspec.Struct, frozen=True):
    """What share was found: of all canaries, of those that are spelled right, and the spellings that were missed."""

    planted: int
    found: int
    planted_right: int
    found_right: int
    types: int
    missed: dict[str, int]

    def words(self) -> str:
        """The figure with what it was measured on."""
        return (
            f"recall {self.found_right / self.planted_right:.1%} of {self.planted_right} canaries in known spellings, "
            f"{self.found / self.planted:.1%} of {self.planted} with misspelt ones (in {self.types} types of "
            "identifiers; planted in text, JSON, and JSON within JSON; measured now, by the same code)"
        )


def planted() -> Iterator[Canary]:
    """Every canary."""
    for person in PEOPLE:
        for kind, value in person.items():
            for spelling, spell in {**ANY, **BY_TYPE[kind], **MISSPELT}.items():
                for place, put in PLACES.items():
                    yield Canary(Identifier(kind, value), spelling, place, put(spell(value)))


def measure() -> Recall:
    """Search for all canaries now."""
    missed: Counter[str] = Counter()
    all_right = all_found = found_right = number = 0
    for canary in planted():
        right = canary.spelling not in MISSPELT
        found = any(True for _ in matches(canary.content, terms([canary.identifier], [])))
        number += 1
        all_right += right
        all_found += found
        found_right += found and right
        if not found:
            missed[f"{canary.identifier.type}: {canary.spelling}"] += 1
    return Recall(number, all_found, all_right, found_right, len(PEOPLE[0]), dict(missed))

"""Normal forms of identifiers, so that one person stays one person however a source writes the value."""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

NORMALISER: Final = 1
"""Version of the rules below; stored beside each identifier, raised when a rule changes."""


class Identifier(NamedTuple):
    """A typed value that can stand for a person, for example ("email", "Ana@Example.com")."""

    type: str
    value: str


def normalise(identifier: Identifier) -> Identifier:
    """NFKC, outer white space off, casefold; telephone numbers in the shape of E.164 (+ and digits)."""
    text = unicodedata.normalize("NFKC", identifier.value).strip()
    if identifier.type == "phone":
        digits = "".join(character for character in text if character.isdigit())
        international = text.startswith(("+", "00"))
        return Identifier(identifier.type, f"+{digits.removeprefix('00')}" if international else digits)
    return Identifier(identifier.type, unicodedata.normalize("NFKC", text.casefold()))


def mac_input(identifier: Identifier) -> bytes:
    """What an identifier's HMAC is over: type, 0x00, normal form. Lone surrogates survive as such."""
    normal = normalise(identifier)
    return f"{normal.type}\0{normal.value}".encode("utf-8", "surrogatepass")

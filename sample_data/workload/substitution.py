"""Turns one real conversation into many: names, ids and numbers are exchanged, the same way all through a session.

A conversation is encoded once into fragments, each a list of byte strings with slots at the identities, so that
playing it again costs little more than joining them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

_USER_ID = re.compile(rb"\b([a-z]+)_([a-z]+)_(\d{3,5})\b")
_IDENTITY = re.compile(
    rb"\b[a-z]+_[a-z]+_\d{3,5}\b"
    rb"|[A-Za-z0-9.+-]+@[a-z-]+\.[a-z]+"
    rb"|#?W\d{6,}"
    rb"|\b(?:call|toolu|chatcmpl|fc|tc)[_-][\w-]{8,}"
    rb"|\b\d{5,}\b"
    rb"|\b(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{6}\b"
)
_PREFIX = re.compile(rb"(?:(?:call|toolu|chatcmpl|fc|tc)[_-])?")
_DIGITS, _UPPER, _LOWER = b"0123456789", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"abcdefghijkmnopqrstuvwxyz"
_FIRST = (
    b"Ada Bela Cleo Dario Elif Finn Gwen Hugo Ines Jana Kofi Lena Milo Nora Oskar Paula Quim Rhea Sami Tilda Umut "
    b"Vito Wanda Ximena Yann Zora Anouk Bram Carmen Dunja Emre Freya Goran Hedda Isla Jorge Kaya Luan Mette Nils"
).split()
_LAST = (
    b"Abbott Brandt Costa Dvorak Ekholm Falk Garcia Hansen Ivanov Jensen Keller Lopes Moreau Novak Olsen Petit Quist "
    b"Rossi Sousa Toth Ulrich Varga Weber Xu Yilmaz Zeller Amsel Bianchi Cerny Duval Evers Fiala Greco Hofer Ilves "
    b"Janik Korhonen Lund Maes Nagy"
).split()


class Identity(NamedTuple):
    """A made-up person: ``Ada``, ``Brandt``, ``1234``."""

    first: bytes
    last: bytes
    digits: bytes

    @property
    def user_id(self) -> bytes:
        """As the conversations write user ids: ``ada_brandt_1234``."""
        return b"%s_%s_%s" % (self.first.lower(), self.last.lower(), self.digits)


class Token(NamedTuple):
    """Something to exchange: its form (user, mail, first, last, other), its bytes, and whose it is."""

    form: str
    text: bytes
    person: int


class Fragment(NamedTuple):
    """Encoded JSON with slots: ``parts[position]`` is replaced by the value of a token."""

    parts: list[bytes]
    slots: tuple[tuple[int, int], ...]

    def fill(self, values: Sequence[bytes]) -> bytes:
        """The bytes with each token's value in place."""
        if not self.slots:
            return self.parts[0]
        parts = self.parts.copy()
        for position, token in self.slots:
            parts[position] = values[token]
        return b"".join(parts)


def person(number: int) -> Identity:
    """The identity of user ``number``, always the same."""
    first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) % len(_LAST)]
    return Identity(first, last, b"%04d" % (1000 + number * 7919 % 9000))


def tokens(encoded: Sequence[bytes]) -> list[Token]:
    """What there is to exchange in a conversation, given as encoded JSON."""
    text = b"\n".join(encoded)
    people = sorted(set(_USER_ID.findall(text)))
    found: dict[bytes, Token] = {}
    for number, (first, last, _) in enumerate(people):
        found.setdefault(first.capitalize(), Token("first", first.capitalize(), number))
        found.setdefault(last.capitalize(), Token("last", last.capitalize(), number))
    ids = {b"_".join(parts): number for number, parts in enumerate(people)}
    for match in sorted(set(_IDENTITY.findall(text))):
        form = "user" if match in ids else "mail" if b"@" in match else "other"
        found[match] = Token(form, match, ids.get(match, 0))
    return list(found.values())


def fragment(encoded: bytes, listed: Sequence[Token]) -> Fragment:
    """Cut encoded JSON at the tokens."""
    if not listed:
        return Fragment([encoded], ())
    longest_first = sorted((token.text for token in listed), key=lambda text: (-len(text), text))
    pattern = re.compile(rb"(?<![A-Za-z0-9])(%s)(?![A-Za-z0-9])" % b"|".join(map(re.escape, longest_first)))
    parts = pattern.split(encoded)
    number = {token.text: position for position, token in enumerate(listed)}
    return Fragment(parts, tuple((at, number[parts[at]]) for at in range(1, len(parts), 2)))


def values(listed: Sequence[Token], user: Identity, rng: random.Random) -> list[bytes]:
    """What stands for each token in one session; ``user`` is its first person, others are drawn."""
    people = {0: user}
    filled: list[bytes] = []
    for token in listed:
        who = people.get(token.person) or people.setdefault(token.person, person(rng.getrandbits(20)))
        if token.form == "user":
            filled.append(who.user_id)
        elif token.form == "mail":
            filled.append(b"%s.%s%s@example.com" % (who.first.lower(), who.last.lower(), who.digits))
        elif token.form in ("first", "last"):
            filled.append(who.first if token.form == "first" else who.last)
        else:
            filled.append(_same_shape(token.text, rng))
    return filled


def _same_shape(text: bytes, rng: random.Random) -> bytes:
    """Digits for digits and letters for letters, behind a prefix that says what an id is of."""
    prefix = _PREFIX.match(text)
    kept = prefix.end() if prefix else 0
    bits = rng.getrandbits(8 * len(text))
    drawn = bytearray(text)
    for at in range(kept, len(text)):
        character, bits = text[at], bits >> 8
        if 48 <= character <= 57:
            drawn[at] = _DIGITS[(bits & 255) % 10]
        elif 65 <= character <= 90:
            drawn[at] = _UPPER[(bits & 255) % len(_UPPER)]
        elif 97 <= character <= 122:
            drawn[at] = _LOWER[(bits & 255) % len(_LOWER)]
    return bytes(drawn)

"""The built-in detectors: e-mail addresses, telephone numbers, IBANs, card numbers, with the checks that each has.

Each takes a text and gives (type, value, start, end). They are made for few false alarms: a number without any mark of
being a telephone number is none here, and is found only by searching for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Found = tuple[str, str, int, int]
"""Type, value, start, end."""

_LOCAL: Final = re.compile(r"[\w.+'-]{1,64}\Z")
_DOMAIN: Final = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[^\W\d_]{2,63}|xn--[a-zA-Z0-9-]{2,59})(?![^\W_]|-\w)"
)


def emails(text: str) -> Iterator[Found]:
    """Addresses of the everyday form: letters, digits and . + ' - _ before the @, a domain with a dot after it."""
    at = text.find("@")
    while at >= 0:
        local, domain = _LOCAL.search(text[max(at - 64, 0) : at]), _DOMAIN.match(text, at + 1)
        if local and domain:
            name = local[0].lstrip(".+'-")
            if name and not name.endswith("."):
                start = at - len(name)
                yield "email", text[start : domain.end()], start, domain.end()
        at = text.find("@", at + 1)


_GAP: Final = r"(?:[\s.\-/]|\s?[()]\s?)?"
_PHONE: Final = re.compile(
    rf"(?<![\w+/-])(?<!\d[.,])(?:"
    rf"(?P<plus>\+(?=[\s(]?[1-9])(?:{_GAP}\d){{7,15}})"
    rf"|(?<!\d[\s.-])(?:(?P<zeros>00(?=[\s(]?[1-9])(?:{_GAP}\d){{7,15}})"
    rf"|(?P<american>(?:1[\s.-])?(?:\([2-9]\d\d\)[\s.-]?|[2-9]\d\d[\s.-]{{1,2}})[2-9]\d\d[\s.-]\d{{4}})"
    rf"|(?P<national>\(?0[1-9]\d{{0,4}}\)?(?:[\s./-]{{1,2}}\d{{2,8}}){{1,4}}))"
    rf")(?=x\d|(?![\w]|[.,-]\d))"
)
_FEWEST: Final = {"plus": 7, "zeros": 11, "american": 10, "national": 8}
"""Digits that a number of each form has at least; what begins with two zeros is mostly some other number."""
_LONG_WITHOUT_GAPS: Final = re.compile(r"00\d{0,11}\Z")
_DATE: Final = re.compile(r"\d\d?[-/.\s]\d\d?[-/.\s](?:19|20)\d\d\Z")


def phones(text: str) -> Iterator[Found]:
    """Numbers with an international prefix, or with a national one or the American form and something between digits.

    Of at most 15 digits, as E.164 has it.
    """
    for match in _PHONE.finditer(text):
        digits = sum(map(str.isdigit, match[0].removeprefix("00")))
        fewest = _FEWEST[match.lastgroup or "plus"]
        if fewest <= digits <= 15 and not _DATE.match(match[0]) and not _LONG_WITHOUT_GAPS.match(match[0]):
            yield "phone", match[0], match.start(), match.end()


_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})\d\d(?=[ -]?[A-Za-z0-9])")
_REGISTRY: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_LENGTHS: Final = {item[:2]: int(item[2:]) for item in _REGISTRY.split()}
"""Characters of an IBAN by country, as the registry of ISO 13616 has them."""


def ibans(text: str) -> Iterator[Found]:
    """IBANs of the countries in the registry, compact or in groups, whose check digits are right (ISO 7064, mod 97)."""
    for match in _IBAN.finditer(text):
        length = _LENGTHS.get(match[1].upper())
        if length is None:
            continue
        kept: list[str] = []
        at = match.start()
        while len(kept) < length and at < len(text):
            character = text[at]
            if character.isascii() and character.isalnum():
                kept.append(character)
            elif character not in " -" or text[at - 1] in " -":
                break
            at += 1
        follows = text[at : at + 1]
        if len(kept) == length and not (follows.isascii() and follows.isalnum()) and is_iban("".join(kept)):
            yield "iban", "".join(kept), match.start(), at


def is_iban(text: str) -> bool:
    """Whether the check digits of a compact IBAN are right; of hexadecimal digits in small letters some would be."""
    moved = text[4:] + text[:4]
    if not text[:2].isupper() and not text[2:].isdigit():
        return False
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


_CARD: Final = re.compile(r"(?<![\w.,+-])[2-6](?:[ -]?\d){12,18}(?![\w]|[.,-]\d)")
_ISSUER: Final = re.compile(r"4|5[1-5]|2[2-7]|3[4-9]|30|50|5[6-9]|6")


def cards(text: str) -> Iterator[Found]:
    """Numbers of 13 to 19 digits that begin as an issuer's do and whose last digit is right (Luhn)."""
    for match in _CARD.finditer(text):
        digits = "".join(filter(str.isdigit, match[0]))
        if _ISSUER.match(digits) and is_luhn(digits):
            yield "card", digits, match.start(), match.end()


def is_luhn(digits: str) -> bool:
    """Whether the last digit of a number is right by ISO/IEC 7812-1."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0

"""Detectors: what finds identifiers of people in content, whoever they are. They fill the mention index.

Built in are ``email``, ``phone``, ``iban`` and ``card``; further ones are patterns of the settings, and Presidio's
recognisers where they are installed. Each has a digest that changes when it finds something else, so that the index
knows what to read again. A value is keyed by its mention form, so that however it is written it meets the identifier
that it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ledger import canonical
from ledger.keyring.identifiers import Identifier, normalise
from ledger.settings import BuiltInDetector, DetectorPattern, PresidioDetector, Settings
from replay.detectors import patterns, presidio, values
from replay.detectors.values import Found
from replay.surfaces import Span, normalised, surfaces

PHONE_DIGITS: Final = 9
"""Last digits by which telephone numbers are the same: with a country's code or without."""
_SPACED: Final = frozenset(("iban", "card"))


class Detected(NamedTuple):
    """An identifier found in content, and the bytes that it stands in."""

    identifier: Identifier
    span: Span


class Detector(NamedTuple):
    """One detector: its name, its digest, and what it finds in each of several texts."""

    name: str
    digest: bytes
    find: Callable[[Sequence[str]], Iterator[list[Found]]]


_BUILT_IN: Final[dict[str, tuple[int, Callable[[str], Iterator[Found]]]]] = {
    "email": (1, values.emails),
    "phone": (1, values.phones),
    "iban": (1, values.ibans),
    "card": (1, values.cards),
}
"""By name: the version, raised whenever what it finds changes, and the search."""

_READING: Final = 1
"""Version of how content becomes text: raised when that changes, for every detector."""
_PRESIDIO: Final = 1
"""Version of how Presidio is used; those of the packages are in the digest too."""


def configured(settings: Settings) -> list[Detector]:
    """The detectors of the settings. Raises ConfigError for a pattern that cannot be used, and without Presidio."""
    return [_detector(item) for item in settings.detectors]


def types_found(settings: Settings) -> list[str]:
    """Every type of identifier that the detectors of the settings find, in their order."""
    found: dict[str, None] = {}
    for item in settings.detectors:
        if isinstance(item, PresidioDetector):
            found.update(dict.fromkeys(map(presidio.type_of, item.entities)))
        else:
            found[item.type if isinstance(item, DetectorPattern) else item] = None
    return list(found)


def _detector(item: BuiltInDetector | DetectorPattern | PresidioDetector) -> Detector:
    if isinstance(item, DetectorPattern):
        return _own(item)
    return _presidio(item) if isinstance(item, PresidioDetector) else _built_in(item)


def _built_in(name: str) -> Detector:
    version, search = _BUILT_IN[name]

    def find(texts: Sequence[str]) -> Iterator[list[Found]]:
        for text in texts:
            yield list(search(text))

    return Detector(name, _digest({"name": name, "version": version}), find)


def _own(item: DetectorPattern) -> Detector:
    return Detector(item.name, _digest(item.model_dump()), patterns.finder(item.name, item.type, item.pattern))


def _presidio(item: PresidioDetector) -> Detector:
    packages = presidio.versions(item.name)
    fields = {**item.model_dump(), "entities": sorted(item.entities), "packages": packages, "version": _PRESIDIO}
    return Detector(item.name, _digest(fields), presidio.finder(item.name, item.entities))


def _digest(fields: dict[str, object]) -> bytes:
    return hashlib.sha256(canonical.encode({"reading": _READING, **fields})).digest()[:16]


def detect(contents: Sequence[bytes], detectors: Sequence[Detector]) -> dict[str, list[list[Detected]]]:
    """By the name of each detector, what it finds in each content; what several surfaces show counts once."""
    read = [
        (at, normalised(surface, casefold=False))
        for at, content in enumerate(contents)
        for surface in surfaces(content)
    ]
    texts = [surface.text for _, surface in read]
    result: dict[str, list[list[Detected]]] = {}
    for detector in detectors:
        found: list[dict[Detected, None]] = [{} for _ in contents]
        for (at, surface), items in zip(read, detector.find(texts), strict=True):
            for kind, value, start, end in items:
                found[at][Detected(Identifier(kind, value), surface.span(start, end))] = None
        result[detector.name] = [list(items) for items in found]
    return result


def mention_form(identifier: Identifier) -> Identifier:
    """The form by which a mention and an identifier are the same.

    The keyring's normal form; of IBANs and cards without spaces and hyphens; of telephone numbers the last digits.
    """
    kind, value = normalise(identifier)
    if kind in _SPACED:
        value = "".join(filter(str.isalnum, value))
    elif kind == "phone":
        value = value.lstrip("+")[-PHONE_DIGITS:]
    return Identifier(kind, value)

"""Whom content names besides one person: identifiers that detectors find, and people whom its record declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.keyring.identifiers import Identifier
from ledger.store import Store
from replay.detectors import configured, detect, mention_form
from replay.persons import is_session
from replay.surfaces import Surface, fold, normalised, surfaces

DECLARED: Final = "declared"
"""What found the identifiers of people whom the record's line names."""
WHOLE: Final = "content_of_another_person"
"""The type of a span over content that belongs to somebody else as a whole."""
_NOBODY: Final = frozenset(("session_owner", "recipient"))
"""Types of identifiers of what is no person in a conversation."""
_NO_PERSON: Final = "service"
"""The role of machines."""
_SHORTEST: Final = 3
"""Characters of a declared value that is looked for: a shorter one stands everywhere."""


class Found(NamedTuple):
    """A span of content, in bytes, that is somebody else's: what type of identifier, found by what."""

    start: int
    end: int
    type: str
    detector: str


class Others:
    """Everybody but one person, as far as keyring and detectors know them."""

    def __init__(self, store: Store, subjects: Iterable[str]) -> None:
        self._store = store
        self._subjects = frozenset(subjects)
        self._known: dict[str, list[Identifier]] = {}
        self._detectors = configured(store.settings)
        own = (identifier for reference in sorted(self._subjects) for identifier in self._identifiers(reference))
        self._own = frozenset(map(mention_form, own))

    def is_person(self, reference: str) -> bool:
        """Whether a reference stands for somebody else, by an identifier that the keyring still has."""
        return reference not in self._subjects and bool(self._identifiers(reference))

    def owns(self, line: Mapping[str, Any]) -> bool:
        """Whether the content of a record belongs to somebody else."""
        return self.is_person(line["content"]["owner"])

    def spans(self, records: Sequence[tuple[Mapping[str, Any], bytes]]) -> list[list[Found]]:
        """What is somebody else's in the content of each record, given as line and content, in the order of the bytes.

        Of content that belongs to somebody else a span over the whole is among them.
        """
        every: list[dict[tuple[int, int], Found]] = [{} for _ in records]
        for found, (line, content) in zip(every, records, strict=True):
            if content and self.owns(line):
                found[0, len(content)] = Found(0, len(content), WHOLE, DECLARED)
        for name, by_content in detect([content for _, content in records], self._detectors).items():
            for found, items in zip(every, by_content, strict=True):
                for identifier, (start, end) in items:
                    if mention_form(identifier) not in self._own:
                        found.setdefault((start, end), Found(start, end, identifier.type, name))
        for found, (line, content) in zip(every, records, strict=True):
            for start, end, kind in self._declared(line, content):
                found.setdefault((start, end), Found(start, end, kind, DECLARED))
        return [sorted(found.values()) for found in every]

    def _declared(self, line: Mapping[str, Any], content: bytes) -> Iterator[tuple[int, int, str]]:
        """Where the identifiers of the people in a line stand in its content."""
        named = {ref for role, refs in line.get("subjects", {}).items() if role != _NO_PERSON for ref in refs}
        wanted = {
            fold(identifier.value): identifier.type
            for reference in sorted((named | {line["content"]["owner"]}) - self._subjects)
            for identifier in self._identifiers(reference)
            if len(identifier.value) >= _SHORTEST and mention_form(identifier) not in self._own
        }
        if not wanted:
            return
        for surface in surfaces(content):
            text = normalised(surface, casefold=True)
            for value, kind in wanted.items():
                for start, end in _whole_words(text, value):
                    yield (*text.span(start, end), kind)

    def _identifiers(self, reference: str) -> list[Identifier]:
        if reference not in self._known:
            self._known |= self._store.identities.of([reference])
        return [item for item in self._known[reference] if item.type not in _NOBODY and not is_session(item.type)]


def _whole_words(text: Surface, value: str) -> Iterator[tuple[int, int]]:
    """Where a value stands for itself, not within a longer word."""
    at = text.text.find(value)
    while at >= 0:
        end = at + len(value)
        before, after = text.text[at - 1 : at] if at else "", text.text[end : end + 1]
        if not (before.isalnum() and value[0].isalnum()) and not (after.isalnum() and value[-1].isalnum()):
            yield at, end
        at = text.text.find(value, end)

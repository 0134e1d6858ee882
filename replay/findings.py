"""Everything about a person in one answer: records, sessions, mentions, and what was not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from ledger.access import Receipt
from ledger.keyring.identifiers import Identifier
from ledger.store import Store
from replay.catalog import Catalog
from replay.detectors import types_found
from replay.detectors.values import SHAPES
from replay.mention_index import State
from replay.mentions import Mention, index_state, mentions_of
from replay.persons import PersonRow, is_session, known_references, person_rows, readings
from replay.search import Scope, Searched, search_mentions

TYPED: Final = "as_typed"
"""The type of a value that was searched for though nothing is known of it."""


class SessionFound(msgspec.Struct, frozen=True):
    """A session with records of the person: how many, from when to when, in which roles, how many of each kind."""

    session: str
    records: int
    first_at: str
    last_at: str
    roles: tuple[str, ...]
    kinds: dict[str, int]


class Findings(msgspec.Struct, frozen=True):
    """What was found. ``mentions`` are those of the index and of the search, in other people's content.

    ``sessions_of_mentions``: the session of the record that a mention stands in, by record id. ``state`` is what the
    index covers; ``searched`` is there where content was opened and searched too.
    """

    references: tuple[str, ...]
    rows: tuple[PersonRow, ...]
    sessions: tuple[SessionFound, ...]
    mentions: tuple[Mention, ...]
    sessions_of_mentions: dict[str, str]
    state: State
    searched: Searched | None

    def counts(self) -> dict[str, dict[str, int]]:
        """Records by kind and role."""
        counted: dict[str, Counter[str]] = {}
        for row in self.rows:
            counted.setdefault(row.kind, Counter()).update(row.roles)
        return {kind: dict(sorted(roles.items())) for kind, roles in sorted(counted.items())}


def known(store: Store, identifiers: Sequence[str]) -> list[str]:
    """The references that the keyring has for any of the identifiers, with all that is linked; maybe none."""
    return store.links.group({ref for text in identifiers for ref in known_references(store, text)})


def find(
    catalog: Catalog,
    receipt: Receipt,
    identifiers: Sequence[str],
    scope: Scope | None = None,
    names: Sequence[str] = (),
) -> Findings:
    """Everything about a person by identifiers, as ``type:value`` or bare values. With a ``scope`` content is searched.

    Identifiers that the keyring does not know are looked for in content all the same. Raises AccessNotRecordedError
    without a receipt.
    """
    store = catalog.store
    store.check(receipt)
    references = known(store, identifiers)
    rows = person_rows(catalog, references)
    typed = typed_identifiers(store, identifiers)
    named = [item for listed in store.identities.of(references).values() for item in listed]
    mentions = set(mentions_of(catalog, [*named, *typed], references))
    searched = None
    if scope is not None:
        as_typed = [Identifier(TYPED, text) for text in identifiers if not known_references(store, text)]
        searched = search_mentions(catalog, receipt, references, scope, names, typed or as_typed)
        mentions.update(searched.mentions)
    ordered = sorted(mentions, key=lambda item: (item.partition, item.row, item.start, item.end, item.detector))
    return Findings(
        tuple(references),
        tuple(rows),
        tuple(_sessions(rows)),
        tuple(ordered),
        _sessions_of(catalog, ordered),
        index_state(catalog),
        searched,
    )


def typed_identifiers(store: Store, texts: Sequence[str]) -> list[Identifier]:
    """What texts can be as identifiers: as they state, or under every type that detectors find and that they can be."""
    found: dict[Identifier, None] = {}
    types = types_found(store.settings)
    for text in texts:
        stated = [Identifier(kind, value) for kind, value in readings(text) if not is_session(kind)]
        fitting = [kind for kind in types if kind not in SHAPES or SHAPES[kind].fullmatch(text)]
        found.update(dict.fromkeys([*stated, *(Identifier(kind, text) for kind in fitting)]))
    return list(found)


def _sessions(rows: Iterable[PersonRow]) -> list[SessionFound]:
    by_session: dict[str, list[PersonRow]] = {}
    for row in rows:
        if row.session is not None:
            by_session.setdefault(row.session, []).append(row)
    found = []
    for session, listed in by_session.items():
        times = sorted((row.at for row in listed), key=lambda at: at[:-1])
        roles = tuple(sorted({role for row in listed for role in row.roles}))
        kinds = dict(sorted(Counter(row.kind for row in listed).items()))
        found.append(SessionFound(session, len(listed), times[0], times[-1], roles, kinds))
    return sorted(found, key=lambda item: (item.first_at[:-1], item.session))


def _sessions_of(catalog: Catalog, mentions: Sequence[Mention]) -> dict[str, str]:
    """The session of each record that has a mention in it, where there is one."""
    places = sorted({(item.record_id, item.partition, item.row) for item in mentions})
    if not places:
        return {}
    rows = catalog.connection.execute(
        "SELECT record, session FROM (SELECT unnest(?) AS record, unnest(?) AS partition, unnest(?) AS row) m "
        "JOIN session_parts s ON s.partition = m.partition AND first_row <= m.row AND first_row + rows > m.row",
        [list(column) for column in zip(*places, strict=True)],
    ).fetchall()
    return dict(rows)

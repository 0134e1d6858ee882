"""What `evidence export` takes from a store: options as they are typed, turned into a selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Store
    from replay.catalog import Catalog
    from reports.published import Published
    from reports.selection.predicates import QuerySelection, Selection


@dataclass(frozen=True)
class Asked:
    """A selection as it is typed: one of session, users, model, query and control, or none, and a period."""

    session: str | None = None
    users: Sequence[str] = ()
    model: str | None = None
    query: str | None = None
    since: str | None = None
    until: str | None = None
    control: str | None = None

    def check(self) -> None:
        """Raise UsageError unless one thing is selected."""
        from ledger.errors import UsageError

        kinds = [name for name, value in self._kinds().items() if value]
        if len(kinds) > 1 or not (kinds or self.since or self.until):
            options = ", ".join(f"--{name}" for name in self._kinds())
            raise UsageError(f"records are selected by one of {options}; --from and --to narrow it, or stand alone")

    def in_words(self) -> dict[str, str]:
        """What was asked for, for the sealed note of the export: it may name a person."""
        given = {**self._kinds(), "user": ", ".join(self.users), "from": self.since, "to": self.until}
        return {name: value for name, value in given.items() if isinstance(value, str) and value}

    def _kinds(self) -> dict[str, Any]:
        named = {"session": self.session, "user": self.users, "model": self.model}
        return {**named, "query": self.query, "control": self.control}

    def period(self) -> tuple[str | None, str | None]:
        """The period as RFC 3339 UTC. Raises UsageError."""
        from cli.times import moment
        from reports.selection.predicates import check_period

        start, end = moment(self.since), moment(self.until)
        check_period(start, end)
        return start, end


def asked_of_views(store: Store, asked: Asked) -> QuerySelection | None:
    """The records that a query names. Before the catalog is opened here: the query's process needs it to itself."""
    from reports.selection.queries import chosen_by

    if asked.query is None:
        return None
    start, end = asked.period()
    return chosen_by(store, asked.query, start, end)


def selection_at(store: Store, listed: Catalog, asked: Asked, published: Published) -> Selection:
    """The selection as of a checkpoint: what a query or a control chooses then. Raises as ``selection_of``."""
    from reports.selection.queries import chosen_at, chosen_for

    start, end = asked.period()
    if asked.query is not None:
        return chosen_at(listed, published, asked.query, start, end)
    if asked.control is not None:
        return chosen_for(listed, published, asked.control, start, end)
    return selection_of(store, listed, asked)


def selection_of(store: Store, listed: Catalog, asked: Asked) -> Selection:
    """The selection of any other sort. Raises NotFoundError for what this store does not know."""
    from replay.persons import resolve_person
    from replay.sessions import resolve_session
    from reports.selection import predicates as selection

    start, end = asked.period()
    if asked.session is not None:
        return selection.SessionSelection(resolve_session(listed, asked.session), start=start, end=end)
    if asked.users:
        return selection.of_subjects(resolve_person(store, asked.users), start, end)
    if asked.model is not None:
        name, _, version = asked.model.rpartition("@")
        named, version_named = (name, version) if name else (asked.model, None)
        return selection.ModelSelection(named, version_named, start=start, end=end)
    return selection.PeriodSelection(start, end)

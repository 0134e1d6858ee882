"""What a bundle says of itself, and of the entries and access records about its records."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from ledger import canonical
from ledger.history import Entry
from replay.accesses import Access
from reports.bundle.content import ContentGrant
from reports.bundle.plan import Plan
from reports.standalone import verify

if TYPE_CHECKING:
    from reports.bundle.export import ExportSummary

TYPE: Final = "evidence/bundle/2"
_NAMED: Final = frozenset(
    {"from", "input", "max_rows", "model", "request", "session", "sessions", "subjects", "to", "type", "version"}
)
"""What is told of an access's selection: references, times and closed codes. Words, as of a query, may name others."""


def statement(
    plan: Plan, store: str, content: ContentGrant | None, summary: ExportSummary, entries: int
) -> dict[str, Any]:
    """``bundle.json``. What the proofs do not bear out is the exporter's word."""
    checkpoint = plan.published.checkpoint
    sampled, completeness = plan.sample is not None, "whole" if plan.whole else "shown"
    proven, not_proven = verify.stated_words(completeness, content_word(content), sampled, plan.selection.kind)
    if summary.contents.keys() - {"verified"}:
        not_proven.append(verify.NOT_PROVEN["ended"])
    return {
        "_": TYPE,
        "checkpoint": _point(plan),
        "completeness": completeness,
        "content": content_word(content),
        "counts": {
            "complete_partitions": summary.complete_partitions,
            "contents": dict(summary.contents),
            "context": summary.context,
            "entries": entries,
            "partitions": summary.partitions,
            "population": summary.population,
            "records": summary.records,
        },
        **({} if content is None or content.export is None else {"export": content.export}),
        "not_proven": not_proven,
        "origin": checkpoint.origin,
        "proven": proven,
        "sampled": sampled,
        "selection": plan.selection.as_json(),
        "store": store,
    }


def predicate(plan: Plan, content: ContentGrant | None) -> dict[str, Any]:
    """What the attestation says of the bundle whose manifest it is about."""
    return {
        "checkpoint": _point(plan),
        "completeness": "whole" if plan.whole else "shown",
        "content": content_word(content),
        "origin": plan.published.checkpoint.origin,
        "selection": plan.selection.as_json(),
        "tool": f"evidence {version('evidence-ledger')}",
    }


def content_word(content: ContentGrant | None) -> str:
    """Whether content is in the bundle, and whether it opens without a grant."""
    return "none" if content is None else "disclosed" if content.export is None else "sealed"


def _point(plan: Plan) -> dict[str, Any]:
    checkpoint = plan.published.checkpoint
    return {"origin": checkpoint.origin, "root": checkpoint.root.hex(), "size": checkpoint.size}


def accesses_jsonl(accesses: Iterable[Access], *, in_full: bool) -> bytes:
    """Who looked at the records, the oldest first. ``in_full``: with what is content: who, why, by which command."""
    lines = []
    for access in accesses:
        stated: dict[str, Any] = {"at": access.at, "record": access.record_id, "state": access.state}
        if in_full:
            stated |= {
                "asserted": access.asserted,
                "command": access.command,
                "host": access.host,
                "operator": access.operator,
                "purpose": access.purpose,
                "selection": {name: value for name, value in access.selection.items() if name in _NAMED},
            }
        lines.append(canonical.encode(stated) + b"\n")
    return b"".join(lines)


def entries_jsonl(entries: Iterable[Entry]) -> bytes:
    """Entries as they are read, in the order of the log; the bundle proves each of them."""
    return b"".join(canonical.encode({"entry": entry.value, "index": entry.index}) + b"\n" for entry in entries)

"""What a bundle shows and what it does not, in words: in ``bundle.json`` and in its report."""

from __future__ import annotations

from typing import Final

NEVER_PROVEN: Final = (
    "That the sources logged what happened, or all of it: records are unchanged since ingest, no more.",
    "Times: they are what the sources and the store's writer stated.",
    "Who committed an entry, and when: the signed commits are in the store, not in the bundle.",
    "Reports, README.txt, verify.py, log.vkey, policy, typed columns and commit numbers: views and hints.",
    "That the checkpoint is the newest one.",
)
_UNCHANGED: Final = "Every record line is byte for byte the one that stands in the log under the checkpoint."
_BELONGS: Final = "Every record belongs to the selection, by its line."
_CHOSEN: Final = "Which records belong to the selection: a query or a control has chosen them, and lines do not say so."
_WHOLE: Final = (
    "No record of the selection is missing: every entry of the log is here, and every row of every partition that can "
    "hold such a record."
)
_SHOWN: Final = "That no other record of the log belongs to this selection."
_DISCLOSED: Final = "Content that is here is what its record, or the log's redaction of it, commits to."
_ENDED: Final = (
    "That what ended, altered or restricted content was committed by a key with that role, and that it names this very "
    "row: verify the store for this."
)
_NO_CONTENT: Final = "Content: records commit to it, and it is not in the bundle."
_SAMPLED: Final = "Which records are in the sample follows from the population, the seed and the checkpoint alone."
_NOT_DRAWN: Final = (
    "That records of the population that were not drawn belong to the selection: of these, ids are here, no lines."
)


def proven(*, whole: bool, evaluated: bool, content: bool, sampled: bool) -> list[str]:
    """What a bundle of this sort shows to whoever holds the log's key."""
    words = [_UNCHANGED]
    words += [_BELONGS] if evaluated else []
    words += [_WHOLE] if whole else []
    words += [_SAMPLED] if sampled else []
    return words + ([_DISCLOSED] if content else [])


def not_proven(*, whole: bool, evaluated: bool, content: bool, sampled: bool, ended: bool) -> list[str]:
    """What it does not show. ``ended``: some content is gone, altered or withheld."""
    words = list(NEVER_PROVEN)
    words += [] if evaluated else [_CHOSEN]
    words += [] if whole else [_SHOWN]
    words += [_NOT_DRAWN] if sampled else []
    words += [_ENDED] if ended else []
    return words + ([] if content else [_NO_CONTENT])

"""Closed codes as words, icons and colours; times and durations for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from replay import approvals

Colour = Literal["red", "orange", "green", "blue", "gray"]


class Label(NamedTuple):
    """A badge: colour, icon and text each say the same, since not everyone sees colours."""

    text: str
    icon: str
    colour: Colour
    help: str | None = None


STATES: Final = {
    "verified": Label(
        "content verified",
        ":material/check_circle:",
        "green",
        "Decrypted just now, and it matches the commitment in its record. Whether records and log are intact is "
        "what `evidence verify` checks.",
    ),
    "erased": Label(
        "erased", ":material/delete_forever:", "gray", "Rendered unreadable by key destruction; the record remains."
    ),
    "expired": Label(
        "expired", ":material/auto_delete:", "gray", "Its period of retention has ended; the record remains."
    ),
    "redacted": Label("redacted", ":material/ink_eraser:", "gray", "A part of it was removed; the rest is unchanged."),
    "restricted": Label(
        "restricted", ":material/lock:", "orange", "Withheld: processing of what is about a person in it is restricted."
    ),
    "unverifiable": Label("unverifiable", ":material/help:", "orange", "No key here opens this content."),
    "tampered": Label(
        "TAMPERED", ":material/gpp_bad:", "red", "The content is not the one that the record commits to."
    ),
    "lost": Label("LOST", ":material/report:", "red", "The content is not in the store and no entry explains why."),
}

KINDS: Final = {
    "inference": Label("model", ":material/smart_toy:", "blue"),
    "tool": Label("tool", ":material/build:", "blue"),
    "policy": Label("policy", ":material/shield:", "gray"),
    "approval": Label("approval", ":material/how_to_reg:", "gray"),
    "change": Label("change", ":material/published_with_changes:", "gray"),
    "evaluation": Label("evaluation", ":material/grading:", "gray"),
    "access": Label("access", ":material/visibility:", "gray"),
    "review": Label("review", ":material/rate_review:", "gray"),
    "correction": Label("correction", ":material/edit_note:", "gray"),
    "rejected": Label("not understood", ":material/broken_image:", "orange"),
}

DECISIONS: Final = {
    "allowed": Label("allowed", ":material/check:", "green"),
    "masked": Label("masked", ":material/ink_eraser:", "orange"),
    "blocked": Label("blocked", ":material/block:", "red"),
    "flagged": Label("flagged", ":material/flag:", "orange"),
    "pending": Label("pending", ":material/pending:", "gray"),
    "requested": Label("requested", ":material/contact_support:", "gray"),
    "approved": Label("approved", ":material/task_alt:", "green"),
    "rejected": Label("rejected", ":material/cancel:", "red"),
    "revoked": Label("revoked", ":material/undo:", "orange"),
    "failed_to_respond": Label("policy did not respond", ":material/error:", "red"),
    "not_run": Label("policy not run", ":material/do_not_disturb_on:", "orange"),
}

STATUSES: Final = {
    "error": Label("error", ":material/error:", "red"),
    "running": Label("still running", ":material/pending:", "gray"),
    "unknown": Label("outcome unknown", ":material/help:", "gray"),
}

CAPTURES: Final = {
    "truncated": Label("cut off at source", ":material/content_cut:", "orange"),
    "redacted": Label("redacted at source", ":material/ink_eraser:", "orange"),
    "not_captured": Label("no content captured", ":material/visibility_off:", "orange"),
    "unknown": Label("capture unknown", ":material/help:", "gray"),
}

APPROVALS: Final = {
    approvals.APPROVED: Label("approved", ":material/task_alt:", "green"),
    approvals.APPROVED_LATE: Label("approved after it took effect", ":material/schedule:", "orange"),
    approvals.REJECTED: Label("rejected", ":material/cancel:", "red"),
    approvals.NOT_EVIDENCED: Label("no approval evidenced here", ":material/warning:", "orange"),
    approvals.TIME_UNKNOWN: Label("approved, time unknown", ":material/help:", "orange"),
}

OTHER: Final = Label("other", ":material/help:", "gray", "A code that this version of the app does not know.")


def count(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 record``, ``2,000 records``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def duration(length: timedelta) -> str:
    """A length of time in its two largest units: ``45 s``, ``41 min``, ``2 h 5 min``, ``3 d 4 h``."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days == 0 else f"{days} d {hours % 24} h"


def age(moment: str) -> timedelta:
    """The time since an RFC 3339 time."""
    return datetime.now(UTC) - datetime.fromisoformat(moment)


def at_second(moment: str) -> str:
    """RFC 3339 UTC as ``2026-10-31 09:15:04``."""
    return moment[:19].replace("T", " ")

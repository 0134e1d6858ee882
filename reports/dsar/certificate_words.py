"""What a certificate of erasure says in words, and the statement as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TECHNIQUE: Final = (
    "Content is encrypted with AES-256-GCM under keys that exist in the keyring alone. The keys that this certificate "
    "names were destroyed there, and so the content was rendered unreadable by key destruction. Redacted content was "
    "encrypted anew without the part taken out, and what opened it before was destroyed."
)
ASSUMPTION: Final = (
    "That AES-256 and HKDF-SHA256 hold, and that no copy of the destroyed keys exists outside the keyring and its "
    "backups. Until the date stated for backups, an older backup of the keyring together with its key-encryption key "
    "may open the content."
)
RESIDUE: Final = (
    "record lines: times, systems, models, counts, decisions, opaque ids and random references; pseudonymous",
    "ciphertext that nothing opens, and its length",
    "commitments to content whose salt stood in the ciphertext alone",
    "the entries of the request: references, codes, days, digests",
    "who looked at what and when, by reference",
    "where input files were, in the keyring, encrypted",
)
OUT_OF_SCOPE: Final = (
    "the systems that the logs came from",
    "files that were ingested, where they are still kept",
    "bundles, packages and query results that were handed out: see recipients",
)


def in_words(statement: Mapping[str, Any]) -> bytes:
    """The statement in words. Not signed: what counts is the file ``certificate``."""
    erased, backups, check = statement["erased"], statement["backups"], statement["negative_check"]
    where = "everywhere" if erased["everywhere"] else "in single segments, since some records have to stay"
    request = f"{statement['request']} ({statement['kind']}, {statement['regime']}, received {statement['received']})"
    live_only = "not yet: older backups of the keyring may open it until its next rotation"
    destroyed = f"{erased['keys']} data keys and {erased['identifiers']} identifiers destroyed"
    lines = [
        "Certificate of erasure",
        "",
        "Verify it, offline, with the public key of the log that you hold:",
        "    python3 verify.py CERTIFICATE.zip --key log.vkey",
        "This text is not signed. What is signed stands in the file `certificate`, proven by `entries.jsonl`.",
        "",
        f"Log       {statement['origin']}",
        f"Request   {request}",
        f"Plan      {statement['plan']}, approved by {len(statement['entries']['approved'])} other person(s)",
        f"Erased    {erased['records']} records, {where}: {destroyed}",
        f"Redacted  {erased['redacted']} records of other people",
        f"Kept      {erased['waiting']} records for the time being, {erased['refused']} for good",
        f"Live      {statement['live_at']}",
        f"Backups   {backups['unreadable_at'] or live_only}{_proviso(backups)}",
        f"Looked    {check['sampled']} segments tried, {check['opened']} opened; {check['found']} people still found",
        f"          {check['searched']} identifiers searched for in the redacted, found {check['mentioned']} times",
        "",
        "What became of each record, by basis:",
        *(f"    {item['rows']:>9,}  {item['outcome']} ({item['basis']})" for item in statement["outcomes"]),
        "",
        "How: " + statement["technique"],
        "",
        "Assumed: " + statement["assumption"],
        "",
        "What stays:",
        *(f"  - {item}" for item in statement["residue"]),
        "",
        "Not covered:",
        *(f"  - {item}" for item in statement["out_of_scope"]),
        "",
        f"Handed out earlier with records of these people: {len(statement['recipients'])} bundles or packages.",
    ]
    return ("\n".join(lines) + "\n").encode()


def _proviso(backups: Mapping[str, Any]) -> str:
    """What the date for backups rests on, where that is not this program."""
    if backups["depends_on"] is None:
        return ""
    return ", once a person has taken the old key-encryption key away"

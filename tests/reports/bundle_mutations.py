"""Changes to a bundle of every sort, drawn by a seed: what somebody does who wants it to say something else.

Each is made bare; with sums that fit; and attested with a key that is not the store's. Where the store's own key for
bundles is at hand, only such changes are made that the proofs find whoever attests to them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ledger import notes
from tests.reports.bundle_changes import DOCUMENTS, LINES, Change
from tests.reports.bundles import Files, fix_up, listed, rezip, unzip

ATTESTATION = "attestation.dsse.json"
UNSIGNED = ("README.txt", "verify.py", "report.html", "report.pdf", "bag-info.txt", "attestation.tsr")
"""Files that no signature covers."""
FOREIGN = bytes(range(32))


@dataclass(frozen=True)
class Mutation:
    """A changed bundle. ``where``: a finding's object begins with one of these, if the change has a meaning."""

    name: str
    data: bytes
    changes_meaning: bool
    where: tuple[str, ...]


def mutations(bundle: bytes, seed: int, count: int, signer: notes.Signer | None = None) -> Iterator[Mutation]:
    """So many changed bundles; the same for the same arguments. ``signer``: the store's own key for bundles."""
    files, rng = unzip(bundle), random.Random(seed)
    made, kinds = 0, [*LINES, *DOCUMENTS, *([] if signer else [*ARCHIVES, *FILES])]
    while made < count:
        for kind in rng.sample(kinds, min(len(kinds), count - made)):
            mutation = (
                _of_archive(kind, bundle, files, rng) if kind in ARCHIVES else _of_files(kind, files, rng, signer)
            )
            if mutation is not None:
                assert mutation.data != bundle
                assert _differs(mutation.data, files) or not mutation.changes_meaning
                made += 1
                yield mutation


def _of_archive(kind: Callable[..., Any], bundle: bytes, files: Files, rng: random.Random) -> Mutation:
    data = kind(bundle, rng)
    return Mutation(kind.__name__, data, _differs(data, files), ("",))


def _of_files(
    kind: Callable[..., Any], files: Files, rng: random.Random, signer: notes.Signer | None
) -> Mutation | None:
    change: Change | None = kind(files, rng)
    if change is None or change.files == files or (signer is not None and not change.proven):
        return None
    effort = "attested" if signer is not None else rng.choice(("bare", "sums", "foreign"))
    name = f"{kind.__name__} ({change.file}), {effort}"
    if effort == "bare":
        return Mutation(name, rezip(change.files), True, (change.file, *change.where))
    by = {"attested": signer, "sums": None, "foreign": notes.Signer("example.com/stranger", FOREIGN)}[effort]
    fixed = fix_up(change.files, by)
    if fixed == files:  # nothing was changed but sums, which fit again
        return None
    is_seen = effort == "foreign" or change.proven or change.file not in UNSIGNED
    return Mutation(name, rezip(fixed), is_seen, change.where or (ATTESTATION, change.file))


def _differs(data: bytes, files: Files) -> bool:
    try:
        return unzip(data) != files
    except Exception:  # noqa: BLE001 - zipfile raises a dozen sorts of errors
        return True


# -- archives


def flip_in_archive(bundle: bytes, rng: random.Random) -> bytes:
    return flipped(bundle, rng)


def cut_archive(bundle: bytes, rng: random.Random) -> bytes:
    return bundle[: rng.randrange(1, len(bundle))]


ARCHIVES: list[Callable[..., Any]] = [flip_in_archive, cut_archive]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One bit the other way."""
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


# -- whole files, whatever they hold


def a_file(files: Files, rng: random.Random) -> str:
    """Each sort of file is as likely as another."""
    sorts: dict[str, list[str]] = {}
    for name in sorted(files):
        sorts.setdefault(re.sub(r"/\d+\.", "/N.", name), []).append(name)
    return rng.choice(sorts[rng.choice(sorted(sorts))])


def flip_in_file(files: Files, rng: random.Random) -> Change | None:
    name = a_file(files, rng)
    return Change({**files, name: flipped(files[name], rng)}, name) if files[name] else None


def cut_file(files: Files, rng: random.Random) -> Change | None:
    name = a_file(files, rng)
    return Change({**files, name: files[name][: rng.randrange(len(files[name]))]}, name) if files[name] else None


def drop_file(files: Files, rng: random.Random) -> Change | None:
    name = a_file(files, rng)
    return Change({other: data for other, data in files.items() if other != name}, name)


def exchange_files(files: Files, rng: random.Random) -> Change | None:
    name, other = a_file(files, rng), a_file(files, rng)
    return Change({**files, name: files[other], other: files[name]}, name, (ATTESTATION, name, other))


def add_file(files: Files, rng: random.Random) -> Change | None:
    name = rng.choice(
        ("data/consistency.json", "data/certificate", "data/content/999.bin", "data/proofs/999.tlog-proof")
    )
    return None if name in files else Change({**files, name: b"planted"}, name)


def list_another_sum(files: Files, rng: random.Random) -> Change | None:
    name = rng.choice(("manifest-sha256.txt", "tagmanifest-sha256.txt"))
    rows = files[name].splitlines(keepends=True)
    at = rng.randrange(len(rows))
    rows[at] = rows[at].translate(bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0"), b"")[:64] + rows[at][64:]
    changed = {**files, name: b"".join(rows)}
    if name == "manifest-sha256.txt":
        changed["tagmanifest-sha256.txt"] = listed(
            {tag: data for tag, data in changed.items() if not tag.startswith(("data/", "tagmanifest"))}
        )
    return Change(changed, rows[at][66:-1].decode())


def drop_from_manifest(files: Files, rng: random.Random) -> Change | None:
    name = rng.choice(("manifest-sha256.txt", "tagmanifest-sha256.txt"))
    rows = files[name].splitlines(keepends=True)
    row = rows.pop(rng.randrange(len(rows)))
    return Change({**files, name: b"".join(rows)}, row[66:-1].decode())


FILES: list[Callable[..., Any]] = [
    flip_in_file,
    cut_file,
    drop_file,
    exchange_files,
    add_file,
    list_another_sum,
    drop_from_manifest,
]

"""The golden proofs of transparency-dev/merkle: 98 of inclusion, 98 of consistency, most of them to be refused."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger import merkle
from ledger.errors import FormatError, TamperedError


def cases(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.json")):
        yield json.loads(path.read_bytes()) | {"name": f"{path.parent.name}/{path.stem}"}


def hashes(encoded: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in encoded or []]


def check_inclusion(case: dict[str, Any]) -> None:
    leaf, root = hashes([case["leafHash"] or "", case["root"] or ""])
    merkle.verify_inclusion(leaf, case["leafIdx"], case["treeSize"], hashes(case["proof"]), root)


def check_consistency(case: dict[str, Any]) -> None:
    root1, root2 = hashes([case["root1"] or "", case["root2"] or ""])
    merkle.verify_consistency(case["size1"], case["size2"], hashes(case["proof"]), root1, root2)


def test_196_of_196(shared_data: Path) -> None:
    """Three of them are proofs from or to the empty tree, which the plain algorithm of RFC 9162 would accept."""
    folder = shared_data / "merkle-vectors"
    count: Counter[tuple[str, bool]] = Counter()
    for kind, check in (("inclusion", check_inclusion), ("consistency", check_consistency)):
        for case in cases(folder / kind):
            accepted = True
            try:
                check(case)
            except (TamperedError, FormatError):
                accepted = False
            assert accepted != case["wantErr"], f"{kind} {case['name']}: {case['desc']}"
            count[kind, accepted] += 1
    print("golden proofs (kind, accepted):", dict(count), "total", count.total())
    assert count == {
        ("inclusion", True): 6,
        ("inclusion", False): 92,
        ("consistency", True): 6,
        ("consistency", False): 92,
    }

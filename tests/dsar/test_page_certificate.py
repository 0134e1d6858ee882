"""A certificate of erasure in the page: the same verdict as verify.py's, good or forged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ledger import canonical, notes
from ledger.store import Store
from tests.dsar.test_execute import FORGERIES, Certified, approved, certificate, check, listed
from tests.fixtures_pages import Show
from tests.reports.bundles import fix_up, rezip, unzip

__all__ = ["approved", "certificate", "listed"]


def found(findings: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(item["verdict"], item["object"]) for item in findings}


def test_the_page_says_of_a_certificate_what_verify_py_says(
    certificate: Certified, office: Any, store: Store, show: Show, tmp_path: Path
) -> None:
    data, issued = certificate
    files = unzip(data)
    forged = []
    for name in ("another number of records", "another plan", "no erasure", "no redaction", "no approval"):
        changed = dict(files)
        FORGERIES[name](changed)
        lines = changed["data/entries.jsonl"].count(b"\n")
        forged.append((name, rezip(fix_up(changed, counts={"entries": lines}))))
    for name, kept in files.items():
        middle = len(kept) // 2
        flipped = kept[:middle] + bytes([kept[middle] ^ 1]) + kept[middle + 1 :]
        forged.append((f"a bit of {name}", rezip(fix_up({**files, name: flipped}))))
        forged.append(
            (f"without {name}", rezip(fix_up({other: data for other, data in files.items() if other != name})))
        )
    signer = store.signer("certificate")
    others: tuple[object, ...] = (None, 7, {}, [])
    for name in issued.statement:
        for odd in others:
            stated = canonical.encode({**issued.statement, name: odd}).decode()
            signed = notes.sign_note(f"evidence/certificate/1\n{store.history.origin}\n{stated}\n", signer)
            forged.append((f"{name} = {odd}", rezip(fix_up({**files, "data/certificate": signed}))))
    opened = show()
    opened.give_key(office.installation.log_key.vkey)
    differ = []
    for name, given in [("as it was issued", data), *forged]:
        path = tmp_path / "given.zip"
        path.write_bytes(given)
        opened.give_bundle(path)
        verdict, expected = opened.verdict(), check(given, office, tmp_path)
        if (verdict["verdict"], found(verdict["findings"])) != (expected.verdict, found(expected.findings)):
            differ.append((name, expected.verdict, expected.findings, verdict["verdict"], verdict["findings"]))
        if name == "as it was issued":
            assert verdict == expected.as_json()
            assert verdict["certificate"] == issued.statement

    assert differ == []
    assert opened.errors == []

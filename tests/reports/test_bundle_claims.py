"""What a bundle claims and the log does not bear out is found, although the store's own bundle key attests to it.

And what such a bundle leaves open without a lie is said: rows that are left out of a selection that is not shown whole.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from ledger import canonical, merkle
from tests.reports.bundle_changes import rows_of
from tests.reports.bundles import Bank, Files, Verdict, described, fix_up, rezip, unzip

Audit = Callable[..., Verdict]


@pytest.fixture
def audited(bank: Bank, audit: Audit) -> Callable[..., Verdict]:
    """The check of files that the store's own key attests to."""

    def run(files: Files, **changes: Any) -> Verdict:
        return audit(rezip(fix_up(files, bank.bundle_key, **changes)), "--key", bank.log_vkey)

    return run


def shown_partition(files: Files) -> int:
    return int(rows_of(files, "data/population.csv")[1].split(b",")[0])


def extra_of(files: Files, index: int) -> dict[str, Any]:
    line = files[f"data/proofs/{index}.tlog-proof"].split(b"\n")[1]
    found: dict[str, Any] = json.loads(base64.b64decode(line.removeprefix(b"extra ")))
    return found


def with_extra(files: Files, index: int, extra: dict[str, Any]) -> Files:
    name = f"data/proofs/{index}.tlog-proof"
    lines = files[name].split(b"\n")
    lines[1] = b"extra " + base64.b64encode(canonical.encode(extra))
    return {**files, name: b"\n".join(lines)}


# -- rows


@pytest.mark.parametrize(
    "ranges",
    [
        [[0, 1 << 52]],
        [[-1, 3]],
        [[0, 0]],
        [[0, 1], [0, 1]],
        [[0, 1], [1, 1]],
        [["0", 1]],
        [[0]],
        [],
        {},
        None,
        [[0, True]],
    ],
)
def test_impossible_row_ranges_are_refused(
    session_bundle: bytes, audited: Callable[..., Verdict], ranges: object
) -> None:
    files = unzip(session_bundle)
    index = shown_partition(files)
    result = audited(with_extra(files, index, {**extra_of(files, index), "ranges": ranges}))

    assert result.code == 1
    assert f"partition {index}" in result.reasons


def without_last_row(files: Files, leaves: list[bytes], index: int) -> Files:
    """One row fewer is shown of a partition, with a proof of the others: the best that a liar can do."""
    population, records = rows_of(files, "data/population.csv"), rows_of(files, "data/records.jsonl")
    at = max(n for n, row in enumerate(population) if row.startswith(b"%d," % index))
    gone = int(population[at].split(b",")[1])
    shown = sorted(
        {row for first, count in extra_of(files, index)["ranges"] for row in range(first, first + count)} - {gone}
    )
    runs = [[row, 1] for row in shown]
    for run in reversed(range(1, len(runs))):
        if runs[run - 1][0] + 1 == runs[run][0]:
            runs[run - 1][1] += runs.pop(run)[1]
    hashes = [item.hex() for item in merkle.subset_proof(leaves, shown)]
    changed = with_extra(files, index, {**extra_of(files, index), "hashes": hashes, "ranges": runs})
    return {
        **changed,
        "data/population.csv": b"".join([*population[:at], *population[at + 1 :]]),
        "data/records.jsonl": b"".join([*records[: at - 1], *records[at:]]),
        "data/tie-out.csv": b"count,number,query\n",
    }


def leaves_of(files: Files, index: int) -> list[bytes]:
    """Of a partition of which all rows are shown, in the population or beside it."""
    rows = [
        row.decode().split(",")
        for name in ("data/population.csv", "data/context.csv")
        for row in rows_of(files, name)[1:]
    ]
    return [bytes.fromhex(row[2]) for row in sorted(rows, key=lambda row: int(row[1])) if int(row[0]) == index]


def test_a_row_cannot_be_left_out_where_completeness_is_claimed(
    period_bundle: bytes, audited: Callable[..., Verdict]
) -> None:
    files = unzip(period_bundle)
    index = shown_partition(files)
    changed = without_last_row(files, leaves_of(files, index), index)
    counts = described(files)["counts"]
    counts |= {name: counts[name] - 1 for name in ("population", "records", "complete_partitions")}

    result = audited(changed, counts=counts)

    assert result.code == 1
    assert f"data/population.csv, partition {index}: shows" in result.reasons


def test_a_row_moved_out_of_the_population_is_found_beside_it(
    period_bundle: bytes, audited: Callable[..., Verdict]
) -> None:
    """All rows are shown, and one that belongs to the selection is said not to."""
    files = unzip(period_bundle)
    population, records = rows_of(files, "data/population.csv"), rows_of(files, "data/records.jsonl")
    row, line = population.pop(1), records.pop(0)
    table = rows_of(files, "data/context.csv")
    beside = sorted(
        zip(table[1:], rows_of(files, "data/context.jsonl"), strict=True),
        key=lambda pair: tuple(map(int, pair[0].split(b",")[:2])),
    )
    beside = sorted([*beside, (row, line)], key=lambda pair: tuple(map(int, pair[0].split(b",")[:2])))
    changed = {
        **files,
        "data/population.csv": b"".join(population),
        "data/records.jsonl": b"".join(records),
        "data/context.csv": b"".join([table[0], *(pair[0] for pair in beside)]),
        "data/context.jsonl": b"".join(pair[1] for pair in beside),
        "data/tie-out.csv": b"count,number,query\n",
    }
    counts = described(files)["counts"]
    counts |= {
        "population": counts["population"] - 1,
        "records": counts["records"] - 1,
        "context": counts["context"] + 1,
    }

    result = audited(changed, counts=counts)

    partition, number, record = row.decode().split(",")[:3]
    where = f"data/context.jsonl, row {number} of partition {partition} (record {record[:12]})"
    assert result.code == 1
    assert f"{where}: belongs to the selection, and the population leaves it out" in result.reasons


def test_an_entry_cannot_be_left_out_where_completeness_is_claimed(
    period_bundle: bytes, audited: Callable[..., Verdict]
) -> None:
    files = unzip(period_bundle)
    entries = rows_of(files, "data/entries.jsonl")
    counts = described(files)["counts"] | {"entries": len(entries) - 1}

    result = audited({**files, "data/entries.jsonl": b"".join(entries[:-1])}, counts=counts)

    assert (result.code, "does not hold every entry of the log" in result.reasons) == (1, True)


def test_a_bundle_with_fewer_rows_that_claims_no_completeness_verifies_and_says_so(
    period_bundle: bytes, audited: Callable[..., Verdict], bank: Bank
) -> None:
    """Whoever holds the bundle key can hand out less. Then it is no longer whole, and must not say so."""
    files = unzip(period_bundle)
    index = shown_partition(files)
    changed = without_last_row(files, leaves_of(files, index), index)
    from ledger.store import Store
    from reports.published import Proofs, read_published

    size = described(files)["checkpoint"]["size"]
    with Store.open(bank.settings) as store:
        proofs = Proofs(store.history, read_published(store, size))
        changed |= {
            f"data/proofs/{entry}.tlog-proof": proofs.of(entry)
            for entry in range(size)
            if f"data/proofs/{entry}.tlog-proof" not in files
        }
    counts = described(files)["counts"]
    counts |= {name: counts[name] - 1 for name in ("population", "records", "complete_partitions")}

    result = audited(changed, counts=counts, completeness="shown")

    assert result.code == 0, result.reasons
    assert "Completeness: that no other row of the log belongs to this selection." in result.output["not_proven"]


# -- content


@pytest.mark.parametrize(
    ("state", "code"), [("erased", 5), ("lost", 5), ("tampered", 1), ("unverifiable", 3), ("unheard_of", 3)]
)
def test_content_that_is_not_disclosed_is_not_called_intact(
    content_bundle: bytes, audited: Callable[..., Verdict], state: str, code: int
) -> None:
    files = unzip(content_bundle)
    items = [json.loads(line) for line in rows_of(files, "data/content.jsonl")]
    last = items[-1]
    name = f"data/content/{last['partition']}.bin"
    items[-1] = {key: last[key] for key in ("partition", "record", "row")} | {"state": state}
    changed = {
        **files,
        name: files[name][: last["offset"]],
        "data/content.jsonl": b"".join(canonical.encode(item) + b"\n" for item in items),
        "data/replay.jsonl": b"",
    }
    counts = described(files)["counts"] | {"contents": {"verified": len(items) - 1, state: 1}}

    assert audited(changed, counts=counts).code == code


def test_content_cannot_be_dropped_from_a_bundle_that_is_said_to_have_it(
    content_bundle: bytes, audited: Callable[..., Verdict]
) -> None:
    files = unzip(content_bundle)
    kept = {name: data for name, data in files.items() if "data/content" not in name and "replay" not in name}
    result = audited(kept, counts=described(files)["counts"] | {"contents": {}})

    assert (result.code, result.verdicts) == (5, {"lost", "unpinned"})
    assert "data/content.jsonl: is missing" in result.reasons


def test_content_cannot_be_in_a_bundle_that_is_said_to_have_none(
    content_bundle: bytes, audited: Callable[..., Verdict]
) -> None:
    result = audited(unzip(content_bundle), content="none")

    assert result.code == 1
    for name in ("data/content.jsonl", "data/replay.jsonl"):
        assert f"{name}: has no place" in result.reasons


def test_sealed_content_has_no_key_and_disclosed_content_has_one(
    content_bundle: bytes, audited: Callable[..., Verdict]
) -> None:
    result = audited(unzip(content_bundle), content="sealed", export="0" * 32)

    assert (result.code, "is disclosed though sealed" in result.reasons) == (1, True)


def test_bytes_behind_the_last_content_are_found(content_bundle: bytes, audited: Callable[..., Verdict]) -> None:
    files = unzip(content_bundle)
    name = next(name for name in files if name.startswith("data/content/"))

    assert f"{name}: holds bytes that belong to no record" in audited({**files, name: files[name] + b"x"}).reasons


def test_how_many_records_have_content_is_said(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    result = audit(session_bundle, "--key", bank.log_vkey)

    assert f"Content: 0 of {result.output['checked']['records']} records have theirs" in str(
        result.output["not_proven"]
    )


# -- what the bundle says of itself


@pytest.mark.parametrize(
    "changes",
    [
        {"selection": {"type": "session", "session": "another"}},
        {"selection": {"type": "time", "from": "2030-01-01T00:00:00Z"}},
        {"selection": {"type": "everything"}},
        {"selection": None},
        {"completeness": "whole"},
        {"completeness": "partly"},
        {"sampled": True},
        {"content": "disclosed"},
        {"counts": {"records": 1}},
        {"counts": None},
        {"checkpoint": {"origin": "example.com", "root": "00", "size": 1}},
        {"origin": "example.com/another"},
        {"store": "0" * 32},
        {"_": "evidence/bundle/1"},
        {"_": "evidence/certificate/1"},
    ],
)
def test_a_statement_that_does_not_fit_is_found(
    session_bundle: bytes, audited: Callable[..., Verdict], changes: dict[str, Any]
) -> None:
    result = audited(unzip(session_bundle), **changes)

    expected: dict[str, int] = {"content": 5, "sampled": 5, "_": 3 if changes.get("_") == "evidence/bundle/1" else 1}
    assert result.code == expected.get(next(iter(changes)), 1)


def test_every_file_that_is_listed_must_be_there(bank: Bank, period_bundle: bytes, tmp_path: Any) -> None:
    from tests.reports.bundles import check

    files = unzip(period_bundle)
    for gone in files:
        result = check(rezip({name: data for name, data in files.items() if name != gone}), tmp_path, bank.log_vkey)

        assert result.exit_code in (1, 5), gone
        assert any((f["verdict"], f["object"]) == ("lost", gone) for f in result.findings), gone


def test_a_bundle_without_an_attestation_is_refused(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    files = unzip(session_bundle)
    del files["attestation.dsse.json"]

    result = audit(rezip(fix_up(files)), "--key", bank.log_vkey)

    assert (result.code, result.verdicts) == (1, {"tampered", "unpinned"})
    assert "attestation.dsse.json: is missing" in result.reasons

"""The rules of verify.py against the product's own: two pieces of code that have to agree, on whatever comes."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError

from ledger import canonical, merkle
from ledger.errors import FormatError
from ledger.proofs import parse_proof
from reports.sampling.drawing import PopulationRow, Replace, Seed, draw
from reports.sampling.drawing import allocate as allocate_here
from reports.selection.predicates import ModelSelection, PeriodSelection, Selection, SessionSelection, SubjectSelection
from reports.standalone import verify
from tests.reports.bundles import unzip

# -- canonical JSON

keys = st.one_of(st.sampled_from(["_", "a", "b", "a_1"]), st.text(max_size=3))
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**54), 2**54), st.text(max_size=6), st.floats(allow_nan=False)
)
values = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3))
)


def spellings(value: Any) -> list[str]:
    """Ways to write a value, of which at most one is the canonical one."""
    return [
        json.dumps(value, ensure_ascii=ascii, sort_keys=order, separators=gaps)
        for ascii in (True, False)  # noqa: A001
        for order in (True, False)
        for gaps in ((",", ":"), (", ", ":"), (",", ": "))
    ]


def accepts(data: bytes) -> bool:
    try:
        verify.canonical(data)
    except (ValueError, RecursionError):
        return False
    return True


def accepts_here(data: bytes) -> bool:
    try:
        return isinstance(canonical.decode(data), dict)
    except FormatError:
        return False


@given(st.dictionaries(st.sampled_from(["_", "a", "b1", "b_"]), values, max_size=4))
def test_what_is_canonical_is_what_the_store_calls_canonical(value: dict[str, Any]) -> None:
    """But for the names of keys, which verify.py leaves to the store."""
    for text in spellings(value):
        data = text.encode("utf-8", "surrogatepass")
        expected = accepts_here(data) or (accepts(data) and not _has_plain_keys(value))
        assert accepts(data) == expected, data


def _has_plain_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(canonical._KEY.fullmatch(key) for key in value) and all(map(_has_plain_keys, value.values()))
    return not isinstance(value, list) or all(map(_has_plain_keys, value))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"b":1,"a":2}',
        b'{"a":[{"d":1,"c":2}]}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b' {"a":1}',
        b'{"a":1}{"b":2}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\t"}',
        b'{"a":"\\u000A"}',
        b"[1]",
        b'"a"',
        b"",
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    ],
)
def test_a_second_spelling_is_refused(data: bytes) -> None:
    assert not accepts(data)
    assert not accepts_here(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"_":"x","a":[1,-1,0,9007199254740991],"b":{"c":null,"d":true}}',
        '{"a":"ä \\" \\\\ \\n \\u001f \u2028 \U0001f600"}'.encode(),
        b'{"a":"\\":"}',
        b'{"a":' + b"[" * 63 + b"]" * 63 + b"}",
        b"{}",
    ],
)
def test_the_one_spelling_is_accepted(data: bytes) -> None:
    assert accepts(data)
    assert accepts_here(data)


# -- words that occur in a content

TOOL = '{"n":1%s,' % ("0" * 5000) + json.dumps(
    {"function": {"arguments": json.dumps({"text": json.dumps({"note": "Grüße,\nA."})})}}
).lstrip("{")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", b""),
        ("plain words", b"some plain words"),
        ("Grüße,\nA.", TOOL.encode()),
        ('{"text":', json.dumps(json.dumps({"text": 1}, separators=(",", ":"))).encode()),
        ("deep", json.dumps([json.dumps([json.dumps([json.dumps(["deep"])])])]).encode()),
        ("\U0001f600", b'["\\ud83d\\ude00"]'),
        ("last", b'{"a":"first","a":"last"}'),
        ("raw", b"raw" + b"[" * 100_000),
    ],
)
def test_words_that_occur(text: str, content: bytes) -> None:
    assert verify.occurs(text, content)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("absent", b'["words"]'),
        ("Grüße,\nA.", "Grüße, A.".encode()),
        ("words", b"words\xff"),
        ("ä", b'{"\\u00e4":1}'),
        ("ä", b'["\\u00e4",NaN]'),
        ("ä", b'\xef\xbb\xbf["\\u00e4"]'),
        ("ä", b"[" * 513 + b'"\\u00e4"' + b"]" * 513),
        ("\u00fc", json.dumps([json.dumps([json.dumps([json.dumps([json.dumps(["\u00fc"])])])])]).encode()),
    ],
)
def test_words_that_do_not_occur(text: str, content: bytes) -> None:
    """Other white space, keys, what is no UTF-8 or no JSON, what nests too deep, a fifth JSON in a string."""
    assert not verify.occurs(text, content)


# -- selections

references = st.sampled_from([c * 32 for c in "abc"])
times = st.sampled_from(
    ["2026-10-01T00:00:00Z", "2026-10-01T00:00:00.5Z", "2026-10-01T00:00:00.50001Z", "2026-10-02T23:59:59Z"]
)
names = st.sampled_from(["mira", "mira-7b", "other"])
lines = st.fixed_dictionaries(
    {"observed_at": times, "content": st.fixed_dictionaries({"owner": references})},
    optional={
        "occurred_at": times,
        "session": st.sampled_from(["s", "t"]),
        "subjects": st.dictionaries(st.sampled_from(["actor", "end_user"]), st.lists(references, max_size=2)),
        "model_ref": st.fixed_dictionaries({}, optional={"name": names, "version": st.sampled_from(["1", "2"])}),
        "gen_ai_request_model": names,
        "gen_ai_response_model": names,
    },
)
bounds = st.fixed_dictionaries({"start": st.none() | times, "end": st.none() | times})
selections: st.SearchStrategy[Selection] = st.one_of(
    st.builds(lambda b: PeriodSelection(**b), bounds),
    st.builds(lambda b, s: SessionSelection(s, **b), bounds, st.sampled_from(["s", "t"])),
    st.builds(
        lambda b, s: SubjectSelection(tuple(sorted(s)), **b), bounds, st.sets(references, min_size=1, max_size=2)
    ),
    st.builds(lambda b, m, v: ModelSelection(m, v, **b), bounds, names, st.none() | st.sampled_from(["1", "2"])),
)


@given(selections, lines)
def test_a_record_belongs_to_a_selection_by_the_same_rule(selection: Selection, line: dict[str, Any]) -> None:
    stated = selection.as_json()
    belongs = verify.matcher(stated)

    assert verify._is_selection(stated)
    assert belongs is not None
    assert belongs(line) == selection.matches(line)


@given(selections, times, times)
def test_a_partition_may_hold_such_records_by_the_same_rule(selection: Selection, first: str, last: str) -> None:
    entry = {"time": {"from": first, "to": last}}

    assert verify._may_hold(entry, selection.as_json()) == selection.may_hold(entry)


@pytest.mark.parametrize(
    "stated",
    [
        {"type": "everything"},
        {"type": "time", "from": "yesterday"},
        {"type": "time", "session": "s"},
        {"type": "session"},
        {"type": "session", "session": 1},
        {"type": "session", "session": "s", "model": "m"},
        {"type": "subject", "subjects": []},
        {"type": "subject", "subjects": "aa"},
        {"type": "model", "version": "1"},
        {"type": "model", "model": None},
    ],
)
def test_what_is_no_selection(stated: dict[str, Any]) -> None:
    assert not verify._is_selection(stated)


# -- samples

strata = st.sampled_from(["", "a", "b", "a,b", "ü"])


@given(st.dictionaries(st.text("abcü", min_size=1, max_size=3), st.integers(1, 60), min_size=1), st.integers(0, 200))
def test_strata_give_as_many_as_the_product_says(counts: dict[str, int], size: int) -> None:
    assert verify.allocate(counts, size) == allocate_here(counts, size)


@given(
    st.lists(strata, min_size=1, max_size=40),
    st.integers(0, 45),
    st.sampled_from(["given", "nonce"]),
    st.text("12ü", min_size=1),
)
def test_a_sample_is_drawn_again(texts: list[str], size: int, kind: Any, seed: str) -> None:
    rows = [PopulationRow(7, at, bytes([at]) * 32, text) for at, text in enumerate(texts)]
    sample = draw(rows, Seed(kind, seed), b"the checkpoint\n", size)
    left = [
        item
        for item in sample.items
        if sum(r.stratum == item.row.stratum for r in rows)
        > sum(i.row.stratum == item.row.stratum for i in sample.items)
    ]
    if left:
        wishes = [Replace("unreadable", left[0].row.record)]
        sample = draw(rows, Seed(kind, seed), b"the checkpoint\n", size, wishes)
    population = verify.Rows()
    for row in rows:
        population.partitions.append(row.partition)
        population.rows.append(row.row)
        population.records.append(row.record)
        population.strata.append(row.stratum)

    drawn = verify.draw_again(json.loads(sample.sampling_json()), population, b"the checkpoint\n")

    assert [(stratum, rank, rows[at].record.hex(), replaces) for stratum, rank, at, replaces in drawn] == [
        (item.row.stratum, item.rank, item.row.record.hex(), (item.replaces or b"").hex()) for item in sample.items
    ]


# -- proofs, checked by sigstore's code


def in_sigstores_eyes(entry: bytes, index: int, size: int, hashes: list[bytes], root: bytes) -> Any:
    """What its verifier reads of an entry of a transparency log."""
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=hashes, root_hash=root)
    return SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=entry))


def test_sigstore_agrees_on_every_proof_of_a_bundle(session_bundle: bytes) -> None:
    files = unzip(session_bundle)
    checkpoint = verify.parse_checkpoint(files["data/checkpoint"])
    entries = {
        item["index"]: base64.b64decode(item["entry"])
        for item in map(json.loads, files["data/entries.jsonl"].splitlines())
    }
    proofs = [parse_proof(data) for name, data in files.items() if name.startswith("data/proofs/")]

    assert {proof.index for proof in proofs} == entries.keys()
    for proof in proofs:
        arguments = (proof.index, checkpoint.size, list(proof.hashes), checkpoint.root)
        verify_merkle_inclusion(in_sigstores_eyes(entries[proof.index], *arguments))
        with pytest.raises(VerificationError):
            verify_merkle_inclusion(in_sigstores_eyes(entries[proof.index] + b" ", *arguments))


@given(st.integers(1, 70), st.data())
def test_roots_from_some_rows_are_those_of_the_product(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(bytes([at])) for at in range(size)]
    rows = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    proof = merkle.subset_proof(leaves, rows)
    chosen = [leaves[row] for row in rows]

    assert verify.root_from_subset(size, rows, chosen, proof) == merkle.root(leaves)
    assert verify.root_from_subset(size, rows, chosen, [*proof, bytes(32)]) is None
    assert verify.root_from_subset(size, rows, [*chosen[1:], bytes(32)], proof) != merkle.root(leaves)

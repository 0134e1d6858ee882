"""Other people's data in the copy: found, decided on by somebody, taken out, and provable all the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UsageError
from replay import access
from replay.third_parties import WHOLE
from reports.access_package.gathering import hold
from reports.access_package.review import UNDECIDED, Span, encode, read, settle, withheld_salt
from tests.handover.conftest import ANA, BEN, Office, ask, chat, hand_over, to_review


def decided(spans: list[Span], decision: Any = "redact", **named: Any) -> list[Span]:
    fields = {"reason": "third-party", "reviewer": "lee@bank.example", **named}
    return [msgspec.structs.replace(span, decision=decision, **fields) for span in spans]


def test_identifiers_of_others_are_found_and_ones_own_are_not(office: Office) -> None:
    office.ingest(
        chat("o-1", "s-o", ANA, "Mine is Ana@Example.com, his is b\\u0065n2@example.com", "Call +44 20 7946 0958."),
    )
    spans = to_review(office, ask(office, ANA))
    found = {(span.type, span.detector) for span in spans}
    assert ("phone", "phone") in found
    texts = [span.snippet.split(">>>")[1].split("<<<")[0] for span in spans]
    assert "ben@example.com" in texts
    assert not any(text.casefold() == "ana@example.com" for text in texts)


def test_declared_people_are_found_by_what_the_keyring_has_of_them(office: Office) -> None:
    """No detector knows an employee's number."""
    line = chat("d-1", "s-d", ANA, "Who approved?", "That was Emp-77, not emp-775, said EMP-77.")
    line["subjects"]["approver"] = [{"type": "employee", "id": "emp-77"}]
    office.ingest(line)
    spans = [span for span in to_review(office, ask(office, ANA)) if span.detector == "declared"]
    texts = [span.snippet.split(">>>")[1].split("<<<")[0] for span in spans]
    assert sorted(texts) == ["EMP-77", "Emp-77", "emp-77"]


def test_content_that_belongs_to_somebody_else_is_one_span(office: Office) -> None:
    line = chat("w-1", "s-w", BEN, "private words", "answer")
    line["subjects"]["reviewer"] = [{"type": "email", "id": ANA}]
    office.ingest(line)
    request = ask(office, ANA)
    spans = [span for span in to_review(office, request) if span.type == WHOLE]
    assert len(spans) == 1
    package = hand_over(office, request)
    assert b"private words" not in package.everything
    assert package.made.states["withheld"] == 1


def test_within_content_that_is_withheld_as_a_whole_nothing_needs_a_decision(office: Office) -> None:
    line = chat("w-2", "s-w", BEN, "write to carl@example.com", "done")
    line["subjects"]["reviewer"] = [{"type": "email", "id": ANA}]
    office.ingest(line)
    request, record = ask(office, ANA), office.record_id("w-2")
    spans = to_review(office, request)
    assert len([span for span in spans if span.record == record]) > 1
    reviewed = decided([span for span in spans if span.record != record or span.type == WHOLE])
    package = hand_over(office, request, reviewed=reviewed, redact_undecided=False)
    listed = json.loads(package.read("context.json"))["withheld"]
    assert [item["type"] for item in listed if item["record_id"] == record] == [WHOLE]
    kept = decided([span for span in spans if span.record == record and span.type == WHOLE], "keep")
    with pytest.raises(UsageError, match="undecided"):
        hand_over(office, request, reviewed=[*reviewed, *kept], redact_undecided=False)


def test_nothing_is_made_while_a_span_is_undecided(office: Office) -> None:
    request = ask(office, ANA)
    with pytest.raises(UsageError, match="undecided"):
        hand_over(office, request, redact_undecided=False)
    spans = to_review(office, request)
    with pytest.raises(UsageError, match="undecided"):
        hand_over(office, request, reviewed=spans, redact_undecided=False)
    with pytest.raises(UsageError, match=f"1 of {len(spans)}"):
        hand_over(office, request, reviewed=decided(spans[1:]), redact_undecided=False)


def test_what_is_decided_is_done_and_listed(office: Office) -> None:
    office.ingest(chat("k-1", "s-k", ANA, "is carl@example.com my agent?", "yes"))
    request = ask(office, ANA)
    spans = to_review(office, request)
    kept = [span for span in spans if "carl" in span.snippet]
    redacted = [span for span in spans if "carl" not in span.snippet]
    reviewed = [*decided(kept, "keep", reason=None), *decided(redacted)]
    package = hand_over(office, request, reviewed=reviewed, redact_undecided=False)
    assert b"carl@example.com" in package.everything
    assert BEN.encode() not in package.everything
    listed = json.loads(package.read("context.json"))["withheld"]
    assert [item["reason"] for item in listed] == ["third-party"] * len(redacted)
    reviewer = listed[0]["reviewer"]
    with office.installation.open() as store:
        assert [item.value for item in store.identities.of([reviewer])[reviewer]] == ["lee@bank.example"]
    assert b"lee@bank.example" not in package.everything
    (record,) = [item for item in package.lines("records.jsonl") if item.get("withheld")]
    assert record["state"] == "part_withheld"
    assert record["withheld"] == [item["number"] for item in listed]
    json.loads(record["content"])


def test_what_was_withheld_can_be_proven_later(office: Office) -> None:
    """Whoever can open the record discloses the salt and the text; the package's commitment is to exactly these."""
    request = ask(office, ANA)
    package = hand_over(office, request)
    listed = json.loads(package.read("context.json"))["withheld"]
    spans = {(span.record, span.type): span for span in to_review(office, request)}
    with office.listed() as (store, opened):
        held = {
            item.record_id: item.revealed
            for item in hold(opened, access.record(store, "test", "test", {}), request.subjects)
        }
    assert listed
    for item in listed:
        span, revealed = spans[item["record_id"], item["type"]], held[item["record_id"]]
        assert revealed.bytes is not None
        assert revealed.row_key is not None
        text = revealed.bytes[span.start : span.end]
        salt = withheld_salt(revealed.row_key, span.start, span.end)
        assert hashlib.sha256(salt + text).hexdigest() == item["commitment"]
        assert hashlib.sha256(text).hexdigest() != item["commitment"]
        assert item["reason"] == UNDECIDED


def test_a_reviewer_adds_a_name_that_nothing_finds(office: Office) -> None:
    office.ingest(chat("n-1", "s-n", ANA, "my neighbour Zoe Quill is ill", "I am sorry."))
    request = ask(office, ANA)
    record = office.record_id("n-1")
    with office.listed() as (store, opened):
        (item,) = [
            item
            for item in hold(opened, access.record(store, "test", "test", {}), request.subjects)
            if item.record_id == record
        ]
    assert item.revealed.bytes is not None
    start = item.revealed.bytes.index(b"Zoe Quill")
    own = Span(record=record, start=start, end=start + 9, type="name")
    package = hand_over(office, request, reviewed=decided([own]))
    assert b"Zoe Quill" not in package.everything
    assert b"is ill" in package.everything


def test_spans_of_other_records_and_beyond_the_end_are_refused(office: Office) -> None:
    request = ask(office, ANA)
    for record, end in ((office.record_id("b-1"), 5), (office.record_id("a-1"), 1 << 30), ("ab" * 32, 5)):
        with pytest.raises(UsageError):
            hand_over(office, request, reviewed=decided([Span(record=record, start=1, end=end, type="name")]))


def test_a_review_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    spans = decided([Span(record="ab" * 32, start=3, end=9, type="email", snippet="\u202e >>>x<<<")])
    path = tmp_path / "spans.jsonl"
    path.write_bytes(encode("cd" * 16, spans))
    assert read(path, "cd" * 16) == spans
    with pytest.raises(UsageError, match="no review for request"):
        read(path, "ef" * 16)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"record":"aa","start":5,"end":5,"type":"x"}', "before it ends"),
        ('{"record":"aa","start":-1,"end":5,"type":"x"}', "before it ends"),
        ('{"record":"aa","start":1,"end":5,"type":"x","decision":"delete"}', "no span"),
        ('{"record":"aa","start":1,"end":5,"type":"x","decision":"keep"}', "names its reviewer"),
        ('{"record":"aa","start":1,"end":5,"type":"x","decision":"keep","reviewer":" "}', "names its reviewer"),
        ('{"record":"aa","start":1,"end":5,"type":"x","decision":"redact","reviewer":"lee"}', "the reason is a code"),
        (
            '{"record":"aa","start":1,"end":5,"type":"x","decision":"redact","reason":"It is Ben","reviewer":"lee"}',
            "the reason is a code",
        ),
        ("[1]", "no span"),
        ("\x00", "no span"),
    ],
)
def test_a_review_that_is_wrong_says_where(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "spans.jsonl"
    path.write_bytes(encode("cd" * 16, []) + line.encode() + b"\n")
    with pytest.raises(UsageError, match=rf"line 2.*{why}"):
        read(path, "cd" * 16)


SPANS = st.builds(
    Span,
    record=st.sampled_from(["aa", "bb"]),
    start=st.integers(0, 3),
    end=st.integers(4, 6),
    type=st.just("email"),
    decision=st.sampled_from([None, "keep", "redact"]),
    reason=st.just("third-party"),
    reviewer=st.just("lee"),
)


@given(found=st.lists(SPANS.map(lambda span: msgspec.structs.replace(span, decision=None))), reviewed=st.lists(SPANS))
def test_every_span_found_is_kept_by_decision_or_withheld(found: list[Span], reviewed: list[Span]) -> None:
    taken = {span.place for span in settle(found, reviewed, redact_undecided=True)}
    kept = {span.place for span in reviewed if span.decision == "keep"}
    asked = {span.place for span in reviewed if span.decision == "redact"}
    assert {span.place for span in found} <= taken | kept
    assert asked <= taken | kept
    undecided = {span.place for span in (*found, *reviewed)} - kept - asked
    if undecided:
        with pytest.raises(UsageError):
            settle(found, reviewed, redact_undecided=False)

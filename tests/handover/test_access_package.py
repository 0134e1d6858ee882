"""The access package: everything about the person, nothing that runs, and each statement of it as the store has it."""

from __future__ import annotations

import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ledger.access import Receipt
from ledger.errors import AccessNotRecordedError, RequestRefusedError, UsageError
from ledger.verify import Verdict
from replay import access
from replay.records import find_record
from reports import restrictions
from reports.access_package.context import Context, load
from reports.access_package.package import Order, deliver
from reports.corrections import correct
from reports.dsar.requests import find_request
from tests.handover.conftest import ANA, BEN, Office, ask, chat, hand_over

HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=alert(2)> " onload=" {{ 7*7 }} {% raw %} =HYPERLINK("http://x") '
    "\u202eevil\u202c \x1b[31m \x00 ]]> --> </style> &lt;b&gt; \u2028 javascript:alert(3)"
)


class Tags(HTMLParser):
    """The elements and attributes that a browser finds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def tags_of(html: str) -> Tags:
    found = Tags()
    found.feed(html)
    return found


def test_it_holds_everything_about_the_person_and_nothing_of_others(office: Office) -> None:
    package = hand_over(office, ask(office, ANA))
    records = package.lines("records.jsonl")
    assert {record["line"]["source_id"] for record in records} >= {"a-1", "a-2", "p-1"}
    assert {record["state"] for record in records} == {"verified", "part_withheld"}
    assert b"It is 500 a month." in package.everything
    assert b"Hello, I am Ben." not in package.everything
    assert BEN.encode() not in package.everything
    assert "letter" in package.html


def test_the_document_says_what_article_15_asks_for(office: Office) -> None:
    context = Context(
        controller="Example Bank",
        contact="privacy@bank.example",
        purposes=["answering questions"],
        recipients=["auditors"],
        retention={"standard": "two years"},
        sources={"chat": "the assistant"},
        automated_decisions="a filter",
        supervisory_authority="the authority",
    )
    html = hand_over(office, ask(office, ANA), context=context).html
    for words in ("Example Bank", "answering questions", "auditors", "two years", "the assistant", "a filter"):
        assert words in html
    assert re.search(r"<td>mira</td><td>1.4.0</td><td>stated by the record itself</td>", html)
    assert "blocked" in html
    assert "Article 17" in html
    assert "the authority" in html


def test_what_nobody_stated_is_said_to_be_not_stated(office: Office) -> None:
    html = hand_over(office, ask(office, ANA)).html
    assert html.count("not stated in this store") >= 6


def test_a_policy_says_how_long_where_the_context_does_not(office: Office, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'format = "evidence/retention-policy/1"\n[[rule]]\nname = "six"\nbasis = "ai-act-26-6"\n'
        'words = "Logs of high-risk systems"\ncontent = { minimum = "P6M", maximum = "P1Y" }\n'
    )
    settings = office.installation.settings.model_copy(update={"retention_policy": policy})
    object.__setattr__(office.installation, "settings", settings)
    html = hand_over(office, ask(office, ANA)).html
    assert "Logs of high-risk systems (at least 6 months, at most 12 months)" in html


def test_hostile_content_is_text_and_no_more(office: Office) -> None:
    office.ingest(chat("x-1", HOSTILE[:40] + "s", ANA, HOSTILE, HOSTILE, model={"name": "m", "version": "1"}))
    context = Context(controller=HOSTILE, contact=HOSTILE, purposes=[HOSTILE], sources={"chat": HOSTILE})
    package = hand_over(office, ask(office, ANA), context=context)
    found = tags_of(package.html)
    assert not found.tags & {"script", "img", "iframe", "object", "embed", "svg", "form", "link", "base", "input"}
    names = {name for name, _ in found.attributes}
    assert not any(name.startswith("on") for name in names)
    assert all((value or "").startswith("#") for name, value in found.attributes if name in ("href", "src"))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2028]", package.html)
    assert "{{ 7*7 }}" in package.html
    assert "49" not in re.findall(r"onload=.{0,20}", package.html)


def test_the_document_forbids_scripts_and_network(office: Office) -> None:
    html = hand_over(office, ask(office, ANA)).html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert policy is not None
    assert style is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    import base64

    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy[1]


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "|calc"])
def test_no_cell_is_a_formula(office: Office, start: str) -> None:
    office.ingest({**chat("f-1", "s-f", ANA, start, "ok"), "decision": None} | {"kind": "inference"})
    package = hand_over(office, ask(office, ANA))
    for name in ("records.csv", "provided.csv"):
        for row in package.rows(name):
            for cell in row.values():
                assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "|"))
    (text,) = [row["text"] for row in package.rows("provided.csv") if row["session"] == "s-f"]
    assert text.startswith(("'", "\\x0d"))
    (exact,) = [line["text"] for line in package.lines("provided.jsonl") if line["session"] == "s-f"]
    assert exact == start


def test_what_the_person_provided_stands_apart(office: Office) -> None:
    office.ingest(
        chat("h-1", "s-h", ANA, "first", "one"),
        {
            **chat("h-2", "s-h", ANA, "", "", time="2026-10-04T08:05:00Z"),
            "input": [
                {"role": role, "parts": [{"type": "text", "content": text}]}
                for role, text in (("user", "first"), ("assistant", "one"), ("user", "second"))
            ],
            "output": [{"role": "assistant", "parts": [{"type": "text", "content": "two"}]}],
        },
    )
    package = hand_over(office, ask(office, ANA))
    provided = [line["text"] for line in package.lines("provided.jsonl") if line["session"] == "s-h"]
    assert provided == ["first", "second"]


def test_files_have_their_digests_and_their_schema(office: Office) -> None:
    package = hand_over(office, ask(office, ANA))
    manifest = json.loads(package.read("manifest.json"))
    for item in manifest["files"]:
        assert hashlib.sha256(package.read(item["path"])).hexdigest() == item["sha256"]
    schema = json.loads(package.read("schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in ("records.jsonl", "provided.jsonl"):
        for line in package.lines(name):
            jsonschema.validate(line, schema)
    assert hashlib.sha256(package.data).hexdigest() == package.made.sha256


def test_the_hand_over_stands_in_the_register_and_names_nobody(office: Office) -> None:
    request = ask(office, ANA)
    package = hand_over(office, request)
    with office.installation.open() as store:
        state = find_request(store, request.request)
        entry = store.history.entries[package.made.entry]
    assert (state.delivered, state.events[-1].event) == (True, "delivered")
    assert state.events[-1].details["package"] == package.made.sha256
    assert b"ana" not in entry.data.lower().replace(b"standard", b"")
    assert office.installation.verify("deep").verdict is Verdict.INTACT
    later = hand_over(office, find_request_again(office, request.request))
    assert later.made.sha256 != package.made.sha256
    assert "delivered" in later.html
    assert "you, a copy like this one" in later.html
    assert "a copy like this one" not in package.html


def find_request_again(office: Office, reference: str) -> Any:
    with office.installation.open() as store:
        return find_request(store, reference)


def test_two_packages_of_the_same_have_different_digests(office: Office) -> None:
    """Else whoever guesses the content could try it against the ledger's digest after an erasure."""
    request = ask(office, ANA)
    one, other = (
        json.loads(hand_over(office, find_request_again(office, request.request)).read("manifest.json")) for _ in "12"
    )
    assert one["nonce"] != other["nonce"]


def test_nothing_is_made_for_somebody_who_is_not_identified(office: Office) -> None:
    request = ask(office, ANA, identified=False)
    with pytest.raises(RequestRefusedError, match="not identified"):
        hand_over(office, request)


def test_nothing_is_opened_without_an_access_record(office: Office) -> None:
    request = ask(office, ANA)
    out = io.BytesIO()
    with office.listed() as (store, opened), pytest.raises(AccessNotRecordedError):
        deliver(store, opened, Receipt("ab" * 16, 1), Order(request, redact_undecided=True), out)
    assert out.getvalue() == b""


def test_nothing_leaves_when_the_register_cannot_be_written(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask(office, ANA)
    out = io.BytesIO()
    with office.listed() as (store, opened):
        receipt = access.record(store, "dsar export", "test", {})

        def fails(*_: Any, **__: Any) -> Any:
            raise RequestRefusedError("no")

        monkeypatch.setattr(store, "append", fails)
        with pytest.raises(RequestRefusedError):
            deliver(store, opened, receipt, Order(request, redact_undecided=True), out)


def test_erased_content_is_said_to_be_erased(office: Office) -> None:
    request = ask(office, ANA)
    office.installation.erase(ANA)
    package = hand_over(office, request)
    assert set(package.made.states) == {"erased"}
    assert package.lines("provided.jsonl") == []
    assert "key destruction" in package.html
    assert b"500 a month" not in package.everything


def test_their_own_restriction_does_not_keep_it_from_them(office: Office) -> None:
    request = ask(office, ANA)
    with office.installation.open() as store:
        restrictions.restrict(store, request.subjects, "art18-1-a", "2027-01-31")
    package = hand_over(office, request)
    assert b"It is 500 a month." in package.everything
    assert "art18-1-a" in package.html


def test_the_restriction_of_somebody_else_does(office: Office) -> None:
    both = {"subjects": {"end_user": [{"type": "email", "id": ANA}], "requester": [{"type": "email", "id": BEN}]}}
    office.ingest({**chat("c-1", "s-both", ANA, "a joint account", "yes"), **both})
    with office.installation.open() as store:
        restrictions.restrict(store, office.people(BEN), "art18-1-a")
    package = hand_over(office, ask(office, ANA))
    assert b"a joint account" not in package.everything
    assert package.made.states["restricted"] == 1


def test_a_correction_is_in_it(office: Office) -> None:
    record = office.record_id("a-1")
    with office.listed() as (store, opened):
        correct(store, opened, find_record(opened, record), "It is 500 a year.", "inaccurate")
    package = hand_over(office, ask(office, ANA))
    assert "It is 500 a year." in package.html
    assert package.html.index("It is 500 a month.") < package.html.index("It is 500 a year.")


def test_of_nobody_there_is_an_empty_package_that_says_so(office: Office) -> None:
    with office.installation.open() as store:
        store.reference("email", "nobody@example.com")
    request = ask(office, "nobody@example.com")
    package = hand_over(office, request)
    assert package.lines("provided.jsonl") == []
    assert "about you" in package.html
    assert package.made.records == len(package.lines("records.jsonl")) == 1


def test_a_context_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "context.toml"
    for text in ("purpose = 'x'\n", "purposes = 'x'\n", "[[[", "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(UsageError):
            load(path)
    with pytest.raises(UsageError):
        load(tmp_path / "missing.toml")
    path.write_text("")
    assert load(path) == Context()


def test_where_others_name_the_person_is_said_and_not_copied(office: Office) -> None:
    office.ingest(chat("m-1", "s-ben", BEN, "Ana is ana@example.com and owes me money", "I see."))
    package = hand_over(office, ask(office, ANA))
    (listed,) = json.loads(package.read("context.json"))["elsewhere"]
    assert (listed["record_id"], listed["types"]) == (office.record_id("m-1"), ["email"])
    assert listed["record_id"][:12] in package.html
    assert b"owes me money" not in package.everything


def test_what_names_the_person_and_is_nobodys_is_theirs(office: Office) -> None:
    office.ingest({**chat("z-1", "s-z", ANA, "I am ana@example.com", "Welcome."), "subjects": {}})
    package = hand_over(office, ask(office, ANA))
    (record,) = [item for item in package.lines("records.jsonl") if item["line"]["source_id"] == "z-1"]
    assert (record["roles"], record["state"]) == (["mentioned"], "verified")
    assert "I am ana@example.com" not in {line["text"] for line in package.lines("provided.jsonl")}
    whole = hand_over(office, find_request_again(office, package.request), sessions=["s-z"])
    assert "I am ana@example.com" in {line["text"] for line in whole.lines("provided.jsonl")}


def test_a_name_is_found_by_searching_alone(office: Office) -> None:
    with office.installation.open() as store:
        store.links.add(store.reference("email", ANA), store.reference("user_id", "ana-the-great"))
    office.ingest(chat("g-1", "s-ben", BEN, "ask ANA-the-great", "I see."))
    request = ask(office, ANA)
    without = hand_over(office, request)
    assert json.loads(without.read("context.json"))["elsewhere"] == []
    searched = hand_over(office, find_request_again(office, request.request), search=True)
    assert [item["record_id"] for item in json.loads(searched.read("context.json"))["elsewhere"]] == [
        office.record_id("g-1")
    ]

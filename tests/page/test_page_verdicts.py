"""The page's verdict, beside each record and as a whole, with and without a key: that of verify.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import canonical, merkle, notes
from ledger.checkpoints import parse_checkpoint
from reports.standalone import verify
from tests.fixtures_pages import Show
from tests.page.made import LOG, ORIGIN, OWNER, Files, Turn, bundle_files, core, said, sealed_bag, zipped

ERASED = {"subjects": [OWNER], "type": "erasure"}
ANOTHER = notes.Signer(ORIGIN, bytes([9]) * 32)


def conversation(count: int) -> list[Turn]:
    turns = []
    for number in range(count):
        asked, answered = f"Question {number}?", f"Answer {number}."
        content = json.dumps({"user": asked, "tool": json.dumps({"answer": answered})}).encode()
        turns.append(Turn(content, [said("user", asked), said("assistant", answered)], session=f"s-{number // 5}"))
    return turns


@pytest.fixture(scope="module")
def turns() -> list[Turn]:
    return [*conversation(30), Turn(state="erased", session="s-gone"), Turn(b"\xff\x00binary", session="s-raw")]


@pytest.fixture(scope="module")
def clean(turns: list[Turn]) -> Files:
    return bundle_files(turns, rows_per_partition=12, entries=[ERASED])


def by_verify(data: bytes, tmp_path: Path, *keys: str, pin: bytes | None = None) -> dict[str, Any]:
    path = tmp_path / "bundle.zip"
    path.write_bytes(data)
    held = verify.parse_pin(pin) if pin else None
    return dict(verify.check(str(path), [verify.parse_key(key) for key in keys], held).as_json())


def found(verdict: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(item["verdict"], item["object"], item["reason"]) for item in verdict["findings"]}


def test_a_clean_bundle_is_intact_under_the_auditors_key(show: Show, clean: Files, tmp_path: Path) -> None:
    opened = show()
    opened.give_key(LOG.vkey)
    path = tmp_path / "clean.zip"
    path.write_bytes(zipped(clean))
    opened.give_bundle(path)
    verdict = opened.verdict()

    expected = by_verify(zipped(clean), tmp_path, LOG.vkey)
    assert verdict["verdict"] == expected["verdict"] == "intact"
    assert verdict == expected
    assert opened.state() == "intact"
    assert opened.errors == opened.refused == opened.requests == []


def test_without_a_key_a_bundle_is_not_called_intact(show: Show, clean: Files, tmp_path: Path) -> None:
    opened = show(core(clean))

    assert opened.verdict()["exit_code"] == 3
    assert opened.state() == "no key"
    assert "no key given" in opened.text("#banner").lower()
    assert found(opened.verdict()) == found(by_verify(zipped(clean), tmp_path))
    opened.page.click("#tab-records")
    assert "no key yet" in opened.text("#records .rows")
    opened.give_key(LOG.vkey)
    assert opened.verdict()["exit_code"] == 0
    assert "no key yet" not in opened.text("#records .rows")


def test_a_key_that_has_not_signed_is_no_reason_for_trust(show: Show, clean: Files, tmp_path: Path) -> None:
    opened = show(core(clean))
    opened.verdict()
    opened.give_key(ANOTHER.vkey)

    assert opened.state() == "unverifiable"
    assert found(opened.verdict()) == found(by_verify(zipped(clean), tmp_path, ANOTHER.vkey))


@pytest.mark.parametrize("text", ["", "not a key", "a+b+c", f"{LOG.vkey}x"])
def test_what_is_no_key_is_refused_in_words(show: Show, clean: Files, text: str) -> None:
    opened = show(core(clean))
    opened.verdict()
    opened.give_key(text)

    assert "Not a public key" in opened.text("#said")
    assert opened.state() == "no key"


def test_a_pin_pins(show: Show, clean: Files, tmp_path: Path) -> None:
    checkpoint = clean["data/checkpoint"]
    pin = canonical.encode({"_": "evidence/pin/1", "checkpoint": checkpoint.decode(), "vkey": LOG.vkey})
    opened = show(core(clean))
    opened.verdict()
    opened.give("pin.json", pin)
    opened.page.wait_for_selector("#banner[data-state=intact]")

    verdict = opened.verdict()
    assert verdict["findings"] == []
    assert verdict["grade"] == by_verify(zipped(clean), tmp_path, pin=pin)["grade"]


def test_a_fork_is_tampered(show: Show, clean: Files) -> None:
    size = parse_checkpoint(notes.parse_note(clean["data/checkpoint"]).text).size
    other = notes.sign_note(f"{ORIGIN}\n{size}\n{'A' * 43}=\n", LOG)
    pin = canonical.encode({"_": "evidence/pin/1", "checkpoint": other.decode(), "vkey": LOG.vkey})
    opened = show(core(clean))
    opened.verdict()
    opened.give("pin.json", pin)
    opened.page.wait_for_selector("#banner[data-state=tampered]")

    assert any("forked" in reason for _, _, reason in found(opened.verdict()))


def replace_line(name: str, number: int, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        lines = files[name].split(b"\n")
        assert old in lines[number]
        lines[number] = lines[number].replace(old, new, 1)
        files[name] = b"\n".join(lines)

    return change


def drop_line(name: str, number: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        lines = files[name].split(b"\n")
        del lines[number]
        files[name] = b"\n".join(lines)

    return change


def flip(name: str, at: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        data = bytearray(files[name])
        data[at] ^= 1
        files[name] = bytes(data)

    return change


def state(**fields: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files["data/bundle.json"] = canonical.encode(json.loads(files["data/bundle.json"]) | fields)

    return change


FORGERIES: dict[str, Callable[[Files], None]] = {
    "a record line": replace_line("data/records.jsonl", 7, b'"source":"gateway"', b'"source":"gateman"'),
    "a record line left out": drop_line("data/records.jsonl", 3),
    "a record id": replace_line("data/population.csv", 5, b",4,", b",5,"),
    "a row left out": drop_line("data/population.csv", 2),
    "a byte of content": flip("data/content/3.bin", 20),
    "a state": replace_line("data/content.jsonl", 4, b'"verified"', b'"erased"'),
    "a content item left out": drop_line("data/content.jsonl", 9),
    "an answer in the replay": replace_line("data/replay.jsonl", 2, b"Answer", b"Denial"),
    "a session in the replay": replace_line("data/replay.jsonl", 2, b'"s-0"', b'"s-1"'),
    "an entry left out": drop_line("data/entries.jsonl", 6),
    "an entry": replace_line("data/entries.jsonl", 4, b'"entry":"ey', b'"entry":"fy'),
    "a proof": flip("data/proofs/4.tlog-proof", 120),
    "the checkpoint": replace_line("data/checkpoint", 1, b"7", b"8"),
    "the policy": flip("data/policy", 8),
    "the selection": state(selection={"session": "s-0", "type": "session"}),
    "the counts": state(counts={}),
    "the store": state(store="0" * 32),
    "the completeness": state(completeness="most"),
    "a planted file": lambda files: files.__setitem__("data/content/99.bin", b"planted"),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_what_a_forger_changes_is_found_as_verify_py_finds_it(
    show: Show, turns: list[Turn], clean: Files, tmp_path: Path, what: str
) -> None:
    forged = bundle_files(turns, rows_per_partition=12, entries=[ERASED], change=FORGERIES[what])
    assert forged["manifest-sha256.txt"] != clean["manifest-sha256.txt"]
    opened = show(core(forged))
    opened.verdict()
    opened.give_key(LOG.vkey)
    verdict, expected = opened.verdict(), by_verify(zipped(forged), tmp_path, LOG.vkey)

    assert verdict["verdict"] == expected["verdict"] == "tampered"
    assert verdict["exit_code"] == 1
    assert found(verdict) == found(expected)
    assert opened.state() == "tampered"


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "hasOwnProperty", "stranger"])
def test_a_name_that_every_object_has_means_nothing(show: Show, tmp_path: Path, name: str) -> None:
    """What a language finds in each of its objects is in no table of states, kinds or types."""
    odd = Turn(state=name, kind=name, session=name, fields={"decision": name, "source": name})
    files = bundle_files([*conversation(2), odd])
    opened = show(core(files))
    opened.verdict()
    opened.give_key(LOG.vkey)
    verdict = opened.verdict()

    assert verdict == {**by_verify(zipped(files), tmp_path, LOG.vkey), "checked": verdict["checked"]}
    assert verdict["verdict"] == "unverifiable"
    for tab in ("records", "sessions"):
        opened.page.click(f"#tab-{tab}")
    opened.page.locator("#sessions .session", has_text=name).click()
    assert name in opened.text("#turns .turn")
    assert opened.errors == []


@pytest.mark.parametrize("name", ["constructor", "__proto__"])
def test_nor_in_what_the_bundle_says_of_itself(show: Show, turns: list[Turn], tmp_path: Path, name: str) -> None:
    for forge in (state(selection={"type": name}), state(content=name), state(completeness=name)):
        forged = bundle_files(turns, rows_per_partition=12, entries=[ERASED], change=forge)
        opened = show(core(forged))
        opened.verdict()
        opened.give_key(LOG.vkey)

        assert opened.verdict()["verdict"] == "tampered"
        assert found(opened.verdict()) == found(by_verify(zipped(forged), tmp_path, LOG.vkey))


def test_the_tampered_row_is_marked_and_its_neighbours_are_not(show: Show, turns: list[Turn]) -> None:
    forged = bundle_files(turns, rows_per_partition=12, entries=[ERASED], change=FORGERIES["a record line"])
    opened = show(core(forged))
    opened.verdict()
    opened.give_key(LOG.vkey)
    opened.page.click("#tab-records")
    rows = opened.page.locator("#records .rows .row").all_inner_texts()
    badges = [row.split("\n")[0].strip() for row in rows]

    assert badges[7] == "tampered"
    assert set(badges[:7] + badges[8:]) == {"proven"}
    opened.page.click("#tab-summary")
    opened.page.click("#findings button")
    assert "has another" in opened.text("#drawer")


def test_a_file_that_does_not_fit_its_sum_is_named(show: Show, clean: Files, tmp_path: Path) -> None:
    opened = show()
    opened.give_key(LOG.vkey)
    for name in ("README.txt", "data/records.jsonl", "bag-info.txt", "attestation.dsse.json"):
        changed = zipped({**clean, name: clean[name] + b"\n"})
        path = tmp_path / "changed.zip"
        path.write_bytes(changed)
        opened.give_bundle(path)

        assert found(opened.verdict()) == found(by_verify(changed, tmp_path, LOG.vkey)), name
        assert opened.verdict()["verdict"] == "tampered"


def test_an_attestation_by_a_stranger_is_tampered(show: Show, clean: Files) -> None:
    forged = dict(clean)
    forged["attestation.dsse.json"] = sealed_bag(clean)["attestation.dsse.json"].replace(b'"keyid":"', b'"keyid":"0')
    assert forged != clean
    opened = show(core(forged))
    opened.verdict()
    opened.give_key(LOG.vkey)

    assert ("tampered", "attestation.dsse.json") in {item[:2] for item in found(opened.verdict())}


@pytest.mark.parametrize(
    "data",
    [b"PK", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(100)],
    ids=["two bytes", "an empty archive", "half an archive"],
)
def test_what_is_no_archive_has_a_verdict_of_its_own(show: Show, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.zip"
    path.write_bytes(data)
    opened = show()
    opened.give_bundle(path)

    assert opened.verdict()["exit_code"] == by_verify(data, tmp_path)["exit_code"] != 0


def test_ten_thousand_rows_are_verified_and_a_few_of_them_drawn(show: Show, tmp_path: Path) -> None:
    files = bundle_files([Turn(b"x", session=f"s-{number // 10}") for number in range(10_000)], rows_per_partition=4000)
    opened = show(core(files))
    opened.verdict()
    opened.give_key(LOG.vkey)
    opened.page.click("#tab-records")

    assert opened.verdict()["verdict"] == "intact"
    assert opened.verdict()["checked"]["records"] == 10_000
    assert opened.page.locator("#records .rows .row").count() < 100
    opened.page.fill(
        "#records input[type=search]", merkle.leaf_hash(files["data/records.jsonl"].split(b"\n")[9_999]).hex()
    )
    opened.page.locator("#records .count", has_text="1 of 10,000").wait_for()

"""Recall and precision, printed: ``pytest -s tests/replay/test_canaries.py``.

200 mentions of 20 invented people are planted in tau2 conversations (seeded; in many spellings and places, a twentieth
of them misspelt), and looked for in the index and by searching. Each stands behind a tag, so that every mention that is
found is known to be one that was planted, or a false alarm.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ledger.keyring.identifiers import Identifier
from ledger.settings import Settings, load
from replay import canaries, mentions
from replay.detectors import configured, detect
from replay.detectors.values import is_iban, is_luhn
from replay.persons import resolve_person
from replay.search import Scope, search_mentions
from tests.replay.conftest import receipt

PEOPLE, MENTIONS, MISSPELT = 20, 200, 10
FILES = ("gpt-4.1_airline_default_gpt-4.1_1trials.json", "gpt-4.1_retail_gpt-4.1_1trials.json")
CUSTOMER = (
    'detectors = ["email", "phone", "iban", "card", {name = "customer", type = "user_id", pattern = "ZQ-[0-9]{6}"}]'
)
_TAG = re.compile(rb"@@(\d{3})@@ [^@]{0,24}\Z")
_FIRST = "Thorvald Isolde Xanthippe Bartholomäus Šárka Ludmila Caoimhe Æthel Quentin Zbigniew".split()
_LAST = "Quillfeather Oßwald Vörösmarty Næss Ionescu-Popa Hjörleifsson Ó Ceallaigh Dvořáček Zawadzki Îlboudo".split(" ")


class Planted(NamedTuple):
    """One canary: whose, of which type, how it is spelled and where it was put."""

    person: int
    type: str
    spelling: str
    place: str
    text: str


def person(number: int, rng: random.Random) -> dict[str, str]:
    """Identifiers of an invented person, valid where they have check digits."""
    first, last = _FIRST[number % 10], _LAST[(number * 3) % 10]
    account = "".join(rng.choices("0123456789", k=18))
    iban = next(f"DE{check:02}{account}" for check in range(2, 99) if is_iban(f"DE{check:02}{account}"))
    card = "4539" + "".join(rng.choices("0123456789", k=11))
    card = next(card + str(last) for last in range(10) if is_luhn(card + str(last)))
    return {
        "email": f"{first}.{number}.{rng.randrange(99)}@post{number}.example",
        "phone": f"+49 {rng.randrange(151, 179)} {rng.randrange(2000, 9999)} {rng.randrange(1000, 9999)}",
        "iban": " ".join(iban[at : at + 4] for at in range(0, 22, 4)),
        "card": " ".join(card[at : at + 4] for at in range(0, 16, 4)),
        "user_id": f"ZQ-{rng.randrange(100000, 999999)}",
        "name": f"{first} {last}" + (f"{number // 10 * 'sen'}"),
    }


def plan(people: list[dict[str, str]], rng: random.Random) -> list[Planted]:
    """What is planted: every person ten times."""
    planted = []
    for number in range(MENTIONS):
        kind = rng.choice(list(people[0]))
        spellings = canaries.MISSPELT if number < MISSPELT else {**canaries.ANY, **canaries.BY_TYPE[kind]}
        spelling = rng.choice(list(spellings))
        who = number % PEOPLE
        planted.append(Planted(who, kind, spelling, "", spellings[spelling](people[who][kind])))
    rng.shuffle(planted)
    return planted


def plant(document: Any, waiting: Iterator[tuple[int, Planted]], rng: random.Random) -> Iterator[tuple[int, Planted]]:
    """Put canaries into the messages of a file, in place: into what was said, arguments of tools, and their results."""
    messages = [message for run in document["simulations"] for message in run["messages"]]
    for message in rng.sample(messages, len(messages)):
        found = next(waiting, None)
        if found is None:
            return
        number, canary = found
        tagged = f"@@{number:03}@@ {canary.text}"
        content = message.get("content")
        if message.get("tool_calls"):
            message["tool_calls"][0]["arguments"]["note"] = tagged
            place = "arguments"
        elif isinstance(content, str) and content.startswith("{"):
            message["content"] = json.dumps({**json.loads(content), "note": f"see {tagged}, please"})
            place = "result"
        else:
            at = rng.choice([match.start() for match in re.finditer(r"\s|\Z", content or "")])
            message["content"] = f"{(content or '')[:at]} {tagged} {(content or '')[at:]}"
            place = "text"
        yield number, canary._replace(place=place)


class Field(NamedTuple):
    """A store with canaries: what was planted, and the references of each person."""

    desk: Any
    planted: dict[int, Planted]
    people: list[list[str]]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory, new_installation: Any, shared_data: Path) -> Field:
    rng = random.Random(20)
    people = [person(number, rng) for number in range(PEOPLE)]
    waiting = iter(list(enumerate(plan(people, rng))))
    folder = tmp_path_factory.mktemp("canaries")
    planted: dict[int, Planted] = {}
    for at, name in enumerate(FILES):
        document = json.loads((shared_data / "tau2" / name).read_text())
        here = [next(waiting) for _ in range(MENTIONS // len(FILES))]
        planted.update(plant(document, iter(here), rng))
        (folder / name).write_text(json.dumps(document, ensure_ascii=bool(at)))
    installation = new_installation(folder / "installation")
    with installation.config.open("a") as file:
        file.write(CUSTOMER + "\n")
    installation = type(installation)(load(str(installation.config)), installation.config)
    installation.ingest(*(folder / name for name in FILES))
    with installation.open() as store:
        references = [[store.reference(kind, value) for kind, value in sorted(one.items())] for one in people]
        for one in references:
            for other in one[1:]:
                store.links.add(one[0], other)
    from tests.replay.conftest import Desk

    return Field(Desk(installation, folder), planted, references)


def judged(field: Field, opened: Any, number: int, found: Any) -> tuple[set[int], int]:
    """Canaries of a person among mentions, and the number of false alarms."""
    right: set[int] = set()
    wrong = 0
    for item in found:
        (row,) = opened.store.reveal(receipt(opened.store), opened.partitions()[item.partition].value, [item.row])
        tag = _TAG.search(row.bytes[: item.start].replace(b'\\"', b" "))
        if tag is not None and field.planted[int(tag[1])].person == number:
            right.add(int(tag[1]))
        else:
            wrong += 1
    return right, wrong


def report(how: str, field: Field, found: set[int], wrong: int, types: set[str]) -> tuple[float, float, float]:
    wanted = {number for number, item in field.planted.items() if item.type in types}
    right = {number for number in wanted if field.planted[number].spelling not in canaries.MISSPELT}
    recall, known, precision = (
        len(found & wanted) / len(wanted),
        len(found & right) / len(right),
        len(found) / max(len(found) + wrong, 1),
    )
    print(f"\n{how}: recall {recall:.1%} ({len(found & wanted)} of {len(wanted)}), precision {precision:.1%}")
    print(f"  recall in known spellings {known:.1%} ({len(found & right)} of {len(right)}), by type and place:")
    for name in ("type", "place"):
        all_of, found_of = (
            Counter(getattr(field.planted[number], name) for number in numbers) for numbers in (wanted, found & wanted)
        )
        print("  " + ", ".join(f"{key} {found_of[key]}/{number}" for key, number in sorted(all_of.items())))
    missed = Counter(f"{field.planted[number].type}: {field.planted[number].spelling}" for number in wanted - found)
    print("  missed: " + (", ".join(f"{what} {number}" for what, number in missed.most_common()) or "nothing"))
    return recall, known, precision


def test_the_canaries_are_planted(field: Field) -> None:
    assert len(field.planted) == MENTIONS
    assert len({item.person for item in field.planted.values()}) == PEOPLE
    assert {item.place for item in field.planted.values()} == {"text", "arguments", "result"}


def test_recall_and_precision_of_the_index(field: Field) -> None:
    found: set[int] = set()
    wrong = 0
    with field.desk.listed() as (store, opened):
        mentions.scan(opened, receipt(store))
        for number, references in enumerate(field.people):
            right, alarms = judged(field, opened, number, mentions.indexed_mentions(opened, references))
            found |= right
            wrong += alarms

    everything = {"email", "phone", "iban", "card", "user_id", "name"}
    report("index, all types (no detector knows names)", field, found, wrong, everything)
    recall, known, precision = report(
        "index, types that it has detectors for", field, found, wrong, everything - {"name"}
    )
    assert recall >= 0.8
    assert known >= 0.85
    assert precision >= 0.99


def test_recall_and_precision_of_the_search(field: Field) -> None:
    found: set[int] = set()
    wrong = 0
    with field.desk.listed() as (store, opened):
        proof = receipt(store)
        for number, references in enumerate(field.people):
            searched = search_mentions(opened, proof, resolve_person(store, references[:1]), Scope())
            assert searched.left == 0
            assert not searched.unread
            right, alarms = judged(field, opened, number, searched.mentions)
            found |= right
            wrong += alarms

    everything = {"email", "phone", "iban", "card", "user_id", "name"}
    recall, known, precision = report("search", field, found, wrong, everything)
    assert recall >= 0.94
    assert known >= 0.99
    assert precision >= 0.99


def test_the_recall_that_is_stated_is_measured_on_every_type_and_spelling() -> None:
    recall = canaries.measure()
    print(f"\n{recall.words()}")

    planted = list(canaries.planted())
    assert recall.planted == len(planted)
    assert {item.identifier.type for item in planted} == {"email", "phone", "iban", "card", "user_id", "name"}
    assert {item.place for item in planted} == set(canaries.PLACES)
    assert recall.found_right == recall.planted_right
    assert recall.found < recall.planted, "misspelt ones are planted so that the figure can be below one"


LABELS = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IBAN_CODE": "iban", "CREDIT_CARD": "card"}


def test_the_detectors_on_text_that_others_have_labelled(shared_data: Path) -> None:
    texts = json.loads((shared_data / "pii" / "synth_dataset_v2.json").read_text())
    required = ("store", "keyring", "kek", "writer_key", "spool", "cache", "pin")
    detectors = configured(Settings.model_validate(dict.fromkeys(required, "x")))
    found = detect([item["full_text"].encode() for item in texts], detectors)
    print()
    for label, name in LABELS.items():
        labelled = hits = alarms = 0
        for item, detected in zip(texts, found[name], strict=True):
            text = item["full_text"]
            wanted = [
                (len(text[: span["start_position"]].encode()), len(text[: span["end_position"]].encode()))
                for span in item["spans"]
                if span["entity_type"] == label
            ]
            labelled += len(wanted)
            hits += sum(any(a < d and c < b for (c, d) in (one.span for one in detected)) for a, b in wanted)
            alarms += sum(not any(one.span[0] < b and a < one.span[1] for a, b in wanted) for one in detected)
        print(f"{name}: {hits} of {labelled} labelled found ({hits / labelled:.1%}), {alarms} others marked")
        assert alarms <= labelled * 0.25
        if name in ("email", "iban"):
            assert hits / labelled > 0.95

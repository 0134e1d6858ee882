"""Changes to what the files of a bundle say: rows, values, proofs, contents, signatures; and where each is found."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import canonical, notes
from ledger.checkpoints import Checkpoint, parse_checkpoint, sign_checkpoint
from tests.reports.bundles import Files

RECORDS, POPULATION, ENTRIES = "data/records.jsonl", "data/population.csv", "data/entries.jsonl"
CONTENT, REPLAY, STATEMENT = "data/content.jsonl", "data/replay.jsonl", "data/bundle.json"


@dataclass(frozen=True)
class Change:
    """Changed files. ``file``: the one that was changed. ``where``: what a finding names, whoever vouches for sums and
    attestation, if ``proven``: if the proofs alone show that something is wrong.
    """

    files: Files
    file: str
    where: tuple[str, ...] = ()
    proven: bool = False


Kind = Callable[[Files, random.Random], "Change | None"]


def proven(files: Files, file: str, *where: str) -> Change:
    return Change(files, file, where or (file,), proven=True)


def rows_of(files: Files, name: str) -> list[bytes]:
    return files.get(name, b"").splitlines(keepends=True)


def shown(files: Files) -> list[str]:
    """How findings name each line of records.jsonl."""
    listed = [row.decode().split(",") for row in rows_of(files, POPULATION)[1:]]
    if "data/sample.csv" in files:
        sample = {row.decode().split(",")[3] for row in rows_of(files, "data/sample.csv")[1:]}
        listed = [row for row in listed if row[2] in sample]
    return [f", row {row} of partition {partition} (record {record[:12]})" for partition, row, record, _ in listed]


def whole(files: Files) -> bool:
    return b'"completeness":"whole"' in files[STATEMENT]


# -- lines of a file: dropped, doubled, exchanged, taken from elsewhere

ORDERED = (RECORDS, "data/context.jsonl", POPULATION, "data/context.csv", ENTRIES, CONTENT, "data/sample.csv")
"""Files of which every line is proven, and its place."""
FREE = ("data/replay.jsonl", "data/accesses.jsonl", "data/erasures.jsonl", "data/holds.jsonl", "data/tie-out.csv")


def a_lines_file(files: Files, rng: random.Random) -> tuple[str, list[bytes], int] | None:
    """One of them, with its lines, and which of them is the first that is no heading."""
    there = [name for name in (*ORDERED, *FREE) if len(rows_of(files, name)) > 2]
    name = rng.choice(there)
    return name, rows_of(files, name), int(name.endswith(".csv"))


def moved(files: Files, name: str, rows: Sequence[bytes]) -> Change:
    """A file with other lines. Where lines are proven, a finding is about the file, or what has to agree with it."""
    changed = {**files, name: b"".join(rows)}
    if name == ENTRIES:
        return proven(changed, name, name, "data/proofs/", POPULATION, STATEMENT)
    if name in ORDERED:
        return proven(changed, name, name, name.replace(".csv", ".jsonl"))
    return Change(changed, name)


def drop_line(files: Files, rng: random.Random) -> Change | None:
    name, rows, first = a_lines_file(files, rng) or ("", [], 0)
    at = rng.randrange(first, len(rows))
    change = moved(files, name, [*rows[:at], *rows[at + 1 :]])
    if name == RECORDS:
        return proven(change.files, name, name + shown(files)[at])
    return change


def double_line(files: Files, rng: random.Random) -> Change | None:
    name, rows, first = a_lines_file(files, rng) or ("", [], 0)
    at = rng.randrange(first, len(rows))
    change = moved(files, name, [*rows[: at + 1], *rows[at:]])
    if name == RECORDS:
        return proven(change.files, name, name + shown(files)[at])
    return change


def exchange_lines(files: Files, rng: random.Random) -> Change | None:
    name, rows, first = a_lines_file(files, rng) or ("", [], 0)
    one, two = rng.sample(range(first, len(rows)), 2)
    rows[one], rows[two] = rows[two], rows[one]
    change = moved(files, name, rows)
    if name == RECORDS:
        return proven(change.files, name, name + shown(files)[min(one, two)])
    return change


def repeat_line_elsewhere(files: Files, rng: random.Random) -> Change | None:
    name, rows, first = a_lines_file(files, rng) or ("", [], 0)
    one, two = rng.sample(range(first, len(rows)), 2)
    rows[one] = rows[two]
    change = moved(files, name, rows)
    if name == RECORDS:
        return proven(change.files, name, name + shown(files)[one])
    return change


# -- values


def edited(value: Any, rng: random.Random) -> Any:
    """A value of the same type that is another one, somewhere in an object or a list."""
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value))
        return {**value, key: edited(value[key], rng)}
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        return [*value[:at], edited(value[at], rng), *value[at + 1 :]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice((1, -1, 1000))
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        other = rng.choice([letter for letter in "0123456789abcdef" if letter != value[at]])
        return value[:at] + other + value[at + 1 :]
    return [] if isinstance(value, dict) else {}


def edit_record(files: Files, rng: random.Random) -> Change | None:
    """A value in a record line: what the whole system is there to find."""
    name = rng.choice([name for name in (RECORDS, "data/context.jsonl") if name in files])
    rows = rows_of(files, name)
    at = rng.randrange(len(rows))
    rows[at] = canonical.encode(edited(json.loads(rows[at]), rng)) + b"\n"
    where = shown(files)[at] if name == RECORDS else ", row "
    return proven({**files, name: b"".join(rows)}, name, name + where)


def respell_record(files: Files, rng: random.Random) -> Change | None:
    """The same values in other bytes."""
    rows = rows_of(files, RECORDS)
    at = rng.randrange(len(rows))
    rows[at] = rng.choice(
        [
            rows[at].replace(b":", b": ", 1),
            rows[at].replace(b"\n", b"\r\n"),
            rows[at].replace(b"evidence/record", b"evidence\\/record"),
            rows[at].replace(b'{"_":', b'{"_":"x","_":', 1),
            json.dumps(dict(reversed(json.loads(rows[at]).items())), separators=(",", ":")).encode() + b"\n",
        ]
    )
    return proven({**files, RECORDS: b"".join(rows)}, RECORDS, RECORDS + shown(files)[at])


def edit_list(files: Files, rng: random.Random) -> Change | None:
    """A value in a line of another file. Which are proven: what a line or an entry of the log says too."""
    there = [name for name in (CONTENT, *FREE[:4], ENTRIES) if rows_of(files, name)]
    if not there:
        return None
    name = rng.choice(there)
    rows = rows_of(files, name)
    at = rng.randrange(len(rows))
    item = json.loads(rows[at])
    key = rng.choice(sorted(item))
    rows[at] = canonical.encode({**item, key: edited(item[key], rng)}) + b"\n"
    changed = {**files, name: b"".join(rows)}
    sealed = b'"content":"sealed"' in files[STATEMENT]
    is_proven = {
        CONTENT: not (sealed and key == "state"),
        ENTRIES: key != "seq",
        REPLAY: key in ("record", "session", "kind", "state"),
        "data/accesses.jsonl": key == "record",
    }.get(name, True)
    if not is_proven:
        return Change(changed, name)
    where = {CONTENT: (CONTENT, "data/content/", REPLAY), ENTRIES: (ENTRIES, "data/proofs/", POPULATION)}
    return proven(changed, name, *where.get(name, (f"{name}, line {at + 1}",)))


def edit_table(files: Files, rng: random.Random) -> Change | None:
    """A cell of a table."""
    name = rng.choice([name for name in (POPULATION, "data/context.csv", "data/sample.csv") if name in files])
    rows = rows_of(files, name)
    at = rng.randrange(1, len(rows))
    cells = rows[at].decode()[:-1].split(",")
    column = rng.randrange(3 if name != "data/sample.csv" else 4)
    cells[column] = str(int(cells[column]) + 1) if cells[column].isdigit() else edited(cells[column], rng)
    rows[at] = ",".join(cells).encode() + b"\n"
    return proven({**files, name: b"".join(rows)}, name, name, RECORDS, "data/context.jsonl", "data/sampling.json")


# -- documents


def edit_counts(files: Files, rng: random.Random) -> Change | None:
    said = json.loads(files[STATEMENT])
    said["counts"] = edited({name: value for name, value in said["counts"].items() if value != {}}, rng)
    return proven({**files, STATEMENT: canonical.encode(said)}, STATEMENT)


def edit_claims(files: Files, rng: random.Random) -> Change | None:
    said = json.loads(files[STATEMENT])
    name = rng.choice(("completeness", "content", "sampled", "origin", "store", "checkpoint", "selection", "proven"))
    others = {
        "completeness": ("whole", "shown"),
        "content": ("none", "disclosed"),
        "sampled": (True, False),
        "selection": ({"type": "session", "session": "another"}, {"type": "time", "from": "2031-01-01T00:00:00Z"}),
    }
    said[name] = edited(said[name], rng) if name not in others else rng.choice(others[name])
    changed = {**files, STATEMENT: canonical.encode(said)}
    if name == "proven":
        return Change(changed, STATEMENT)
    return None if changed == files else proven(changed, STATEMENT, "data/", "bundle")


def edit_sampling(files: Files, rng: random.Random) -> Change | None:
    name = "data/sampling.json"
    if name not in files:
        return None
    sampling = json.loads(files[name])
    key = rng.choice(("seed", "size", "strata", "algorithm", "replacements"))
    sampling[key] = (
        [{"reason": "lost", "record": "0" * 64, "with": "0" * 64}]
        if key == "replacements"
        else edited(sampling[key], rng)
    )
    return proven({**files, name: canonical.encode(sampling)}, name, name, "data/sample.csv")


def edit_proof(files: Files, rng: random.Random) -> Change | None:
    """A hash, the index, what it says of rows, or the checkpoint in it."""
    name = rng.choice(sorted(name for name in files if name.startswith("data/proofs/")))
    head, note = files[name].split(b"\n\n", 1)
    lines = head.split(b"\n")
    at = rng.randrange(len(lines) + 1)
    if at == len(lines):
        note = note.replace(b"\n", b"\n\n", 1)
    elif lines[at].startswith(b"extra "):
        said = edited(json.loads(base64.b64decode(lines[at][6:])), rng)
        lines[at] = b"extra " + base64.b64encode(canonical.encode(said))
    elif lines[at].startswith(b"index "):
        lines[at] = b"index %d" % (int(lines[at][6:]) + 1)
    else:
        lines[at] = lines[at][:-2] + b"A=" if at else b"c2sp.org/tlog-proof@v2"
    index = re.sub(r"\D", "", name.rsplit("/", 1)[1].split(".")[0])
    where = (name, f"{POPULATION}, partition {index}", f"data/context.csv, partition {index}", ENTRIES)
    return proven({**files, name: b"\n".join(lines) + b"\n\n" + note}, name, *where)


def exchange_proofs(files: Files, rng: random.Random) -> Change | None:
    names = sorted(name for name in files if name.startswith("data/proofs/"))
    if len(names) < 2:
        return None
    one, two = rng.sample(names, 2)
    return proven({**files, one: files[two], two: files[one]}, one)


def stale_checkpoint(files: Files, rng: random.Random) -> Change | None:
    """An older checkpoint, or one with another root, which the log never signed."""
    name = "data/checkpoint"
    stated = parse_checkpoint(notes.parse_note(files[name]).text)
    text = files[name].split(b"\n")
    if rng.random() < 0.5:
        text[1] = b"%d" % (stated.size - 1)
    else:
        text[2] = base64.b64encode(bytes([stated.root[0] ^ 1, *stated.root[1:]]))
    return proven({**files, name: b"\n".join(text)}, name)


def sign_as_another(files: Files, rng: random.Random) -> Change | None:
    """A forger's log: their key in the log's name signs a checkpoint of their own, and stands beside it."""
    name = "data/checkpoint"
    stated = parse_checkpoint(notes.parse_note(files[name]).text)
    forger = notes.Signer(stated.origin, bytes([rng.randrange(256)]) * 32)
    size = stated.size + rng.choice((0, 1))
    note = sign_checkpoint(Checkpoint(stated.origin, size, stated.root), forger)
    policy = f"log {forger.verifier.vkey}\nquorum none\n".encode()
    hint = f"{forger.verifier.vkey}\n".encode()
    proofs = {
        proof: data.split(b"\n\n", 1)[0] + b"\n\n" + note for proof, data in files.items() if "tlog-proof" in proof
    }
    return proven({**files, **proofs, name: note, "data/log.vkey": hint, "data/policy": policy}, name)


# -- contents and replay


def opened(files: Files) -> list[int]:
    """The lines of content.jsonl that have content."""
    return [at for at, row in enumerate(rows_of(files, CONTENT)) if b'"row_key"' in row]


def edit_content(files: Files, rng: random.Random) -> Change | None:
    """A byte of a content that is there."""
    there = [at for at in opened(files) if json.loads(rows_of(files, CONTENT)[at])["size"]]
    if not there:
        return None
    at = rng.choice(there)
    item = json.loads(rows_of(files, CONTENT)[at])
    name = f"data/content/{item['partition']}.bin"
    data = bytearray(files[name])
    data[item["offset"] + rng.randrange(item["size"])] ^= 1 << rng.randrange(8)
    return proven({**files, name: bytes(data)}, name, CONTENT + shown(files)[at])


def exchange_contents(files: Files, rng: random.Random) -> Change | None:
    """Two records of one partition with each other's content and row key."""
    there = opened(files)
    if len(there) < 2:
        return None
    rows = rows_of(files, CONTENT)
    at = rng.choice(there[:-1])
    one, two = (json.loads(rows[place]) for place in (at, there[there.index(at) + 1]))
    if one["partition"] != two["partition"]:
        return None
    name = f"data/content/{one['partition']}.bin"
    data, middle, end = files[name], two["offset"], two["offset"] + two["size"]
    exchanged = data[: one["offset"]] + data[middle:end] + data[one["offset"] : middle] + data[end:]
    sizes = {"size": two["size"], "row_key": two["row_key"]}
    rows[at] = canonical.encode({**one, **sizes}) + b"\n"
    place = there[there.index(at) + 1]
    after = {"offset": one["offset"] + two["size"], "size": one["size"], "row_key": one["row_key"]}
    rows[place] = canonical.encode({**two, **after}) + b"\n"
    return proven({**files, name: exchanged, CONTENT: b"".join(rows)}, CONTENT, CONTENT + shown(files)[at])


def withhold_content(files: Files, rng: random.Random) -> Change | None:
    """The last content of a partition is said to be erased."""
    rows = rows_of(files, CONTENT)
    last = {json.loads(rows[at])["partition"]: at for at in opened(files)}
    if not last:
        return None
    at = rng.choice(sorted(last.values()))
    item = json.loads(rows[at])
    name = f"data/content/{item['partition']}.bin"
    rows[at] = (
        canonical.encode({key: item[key] for key in ("partition", "record", "row")} | {"state": "erased"}) + b"\n"
    )
    changed = {**files, CONTENT: b"".join(rows), name: files[name][: item["offset"]]}
    if not changed[name]:
        del changed[name]
    return proven(changed, CONTENT, CONTENT + shown(files)[at], REPLAY, STATEMENT)


def edit_replay(files: Files, rng: random.Random) -> Change | None:
    """Words are put into a turn that is said to be verbatim."""
    rows = rows_of(files, REPLAY)
    at = [place for place, row in enumerate(rows) if b'"verbatim":true' in row]
    if not at:
        return None
    place = rng.choice(at)
    event = json.loads(rows[place])
    part = rng.choice([part for part in event["parts"] if part["verbatim"]])
    part["text"] += " (and I agreed to everything)"
    rows[place] = canonical.encode(event) + b"\n"
    return proven({**files, REPLAY: b"".join(rows)}, REPLAY, f"{REPLAY}, line {place + 1}")


def move_event(files: Files, rng: random.Random) -> Change | None:
    """An event in another session, or of a record that is not there."""
    rows = rows_of(files, REPLAY)
    if not rows:
        return None
    place = rng.randrange(len(rows))
    event = json.loads(rows[place])
    event |= rng.choice(({"session": "another"}, {"record": "0" * 64}, {"state": "lost"}, {"kind": "policy"}))
    rows[place] = canonical.encode(event) + b"\n"
    return proven({**files, REPLAY: b"".join(rows)}, REPLAY, f"{REPLAY}, line {place + 1}")


# -- the attestation


def edit_attestation(files: Files, rng: random.Random) -> Change | None:
    """Its statement says something else, under the signature that was there."""
    name = "attestation.dsse.json"
    envelope = json.loads(files[name])
    statement = edited(json.loads(base64.b64decode(envelope["payload"])), rng)
    envelope["payload"] = base64.b64encode(json.dumps(statement, sort_keys=True).encode()).decode()
    return Change({**files, name: json.dumps(envelope).encode()}, name)


def attest_in_anothers_name(files: Files, rng: random.Random) -> Change | None:
    """A signature by a stranger, under the ID of the key that the log enrols."""
    name = "attestation.dsse.json"
    envelope = json.loads(files[name])
    signature = notes.Signer("example.com/stranger", bytes(32)).sign_message(rng.randbytes(32))
    envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return Change({**files, name: json.dumps(envelope).encode()}, name)


LINES: list[Kind] = [drop_line, double_line, exchange_lines, repeat_line_elsewhere]
DOCUMENTS: list[Kind] = [
    edit_record,
    respell_record,
    edit_list,
    edit_table,
    edit_counts,
    edit_claims,
    edit_sampling,
    edit_proof,
    exchange_proofs,
    stale_checkpoint,
    sign_as_another,
    edit_content,
    exchange_contents,
    withhold_content,
    edit_replay,
    move_event,
    edit_attestation,
    attest_in_anothers_name,
]

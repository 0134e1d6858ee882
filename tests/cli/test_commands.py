"""What the commands do, on the sample data: the same as a person sees, and as a script reads with --json."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import pty
import re
import stat
import struct
import subprocess
import sys
import termios
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.wheel

EVIDENCE = Path(sys.executable).with_name("evidence")
SESSION = "mira-34a7fff4"
HOSTILE = "mira-93f4d669"
EVERY = (
    "init",
    "ingest",
    "verify",
    "sessions",
    "replay",
    "query",
    "prove",
    "reconstruct",
    "export",
    "verify-bundle",
    "tie-out",
    "verifiers",
    "accesses",
    "breach",
    "seal",
)
GROUPS = ("dsar", "exports", "hold", "keys", "mentions", "report", "retention", "sample", "subjects")


def test_init_makes_a_store_and_keeps_the_keys_beside_it(shell: Any) -> None:
    done = shell("init", "--json", "--origin", "logs.example.com/ai").json

    assert (done["schema"], done["origin"]) == ("evidence/init/1", "logs.example.com/ai")
    assert done["log_vkey"] == (shell.private / "log.vkey").read_text().strip()
    assert done["config"] == str(shell.folder / "evidence.toml")
    assert not any(path.suffix in (".key", ".db") for path in shell.store.rglob("*"))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in shell.private.glob("*.key"))
    assert stat.S_IMODE(shell.private.stat().st_mode) == 0o700


def test_init_overwrites_nothing_and_puts_no_key_inside_the_store(shell: Any) -> None:
    shell("init", "first")
    before = (shell.folder / "evidence.toml").read_bytes()

    assert "exists and is not overwritten" in shell("init", "second", ends_with=11).err
    assert "is not empty" in shell("init", "first", "--config", "other.toml", ends_with=11).err
    assert "inside the store" in shell("init", "third", "--config", "third/evidence.toml", ends_with=11).err
    assert "no origin" in shell("init", "fourth", "--origin", "http://x", "--config", "f.toml", ends_with=11).err
    assert (shell.folder / "evidence.toml").read_bytes() == before
    assert not (shell.folder / "second").exists()


def test_ingest_takes_in_everything_once(shell: Any, logs: Path) -> None:
    shell("init")

    first = shell("ingest", logs, "--json").json
    again = shell("ingest", logs, "--json").json

    assert (first["schema"], first["inputs"], first["records"], first["unchanged_inputs"]) == (
        *("evidence/ingest/1", 30, 452, 0),
    )
    assert first["kinds"]["inference"] == 301
    assert first["rejected"] == {"not_json": 1, "not_utf8": 2}
    assert (again["records"], again["partitions"], again["unchanged_inputs"]) == (0, 0, 30)
    assert again["checkpoint_size"] == first["checkpoint_size"]
    assert "Nothing changed" in shell("ingest", logs / "mira").out


def test_ingest_names_what_it_rejected_and_what_is_not_there(shell: Any, logs: Path) -> None:
    shell("init")

    done = shell("ingest", logs / "mira" / "2026-10-23-recovered.jsonl")

    assert "rejected: 2 documents (not_utf8)" in done.err
    assert "rejected" not in done.out.split("Sealed", 1)[0]
    assert "nothing to ingest" in shell("ingest", "nowhere/*.jsonl", ends_with=20).err


def test_ingest_says_what_it_has_as_rejected_only(shell: Any) -> None:
    shell("init")
    path = shell.folder / "notes.txt"
    path.write_text("no log")
    shell("ingest", path)

    again = shell("ingest", "--format", "github", path)

    assert "Nothing changed" in again.out
    assert "1 input is in the store only as `rejected`: sealed, not understood" in again.err
    assert shell("ingest", path, "--json").json["unchanged_not_understood"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc")
def test_ingest_goes_on_after_a_file_that_cannot_be_read_and_ends_with_its_code(shell: Any, logs: Path) -> None:
    """The memory of a process is a file that nobody can read at its beginning, not even an administrator."""
    shell("init")
    folder = shell.folder / "in"
    folder.mkdir()
    (folder / "a.jsonl").symlink_to("/proc/self/mem")
    (folder / "b.jsonl").write_bytes((logs / "mira" / "2026-10-23-recovered.jsonl").read_bytes())

    done = shell("ingest", folder, "--json", ends_with=12)

    assert (done.json["inputs"], len(done.json["unreadable"])) == (1, 1)
    assert done.json["records"] > 0
    assert re.search(r"cannot read '/proc/\d+/mem': Input/output error\n1 input not read to the end", done.err)


def test_sessions_are_listed_and_filtered(filled: Any) -> None:
    every = filled("sessions", "--json").json
    hers = filled("sessions", "--user", "hv-104417", "--json").json["sessions"]
    blocked = filled("sessions", "--decision", "blocked", "--to", "2026-10-10", "--json").json["sessions"]

    assert (every["schema"], len(every["sessions"]), every["more"]) == ("evidence/sessions/1", 61, False)
    assert len(hers) == 5
    assert [row["session"] for row in blocked] == ["mira-3b252a46"]
    assert filled("sessions", "--from", "2030-01-01").err == "no session matches\n"
    listed = filled("sessions", "--limit", "2")
    assert listed.out.splitlines()[0].split() == ["SESSION", "FROM", "(UTC)", "TO", "(UTC)", *listed.out.split()[5:10]]
    assert len(listed.out.splitlines()) == 3
    assert "there are more" in listed.err


def test_replay_shows_a_session_and_records_that_it_did(damaged: Any) -> None:
    damaged("seal")
    before = damaged.one("SELECT count(*) FROM accesses")
    done = damaged("replay", SESSION, "--purpose", "ticket 4711")
    data = damaged("replay", "mira-34", "--json").json

    assert "Content: 17 verified" in done.out
    assert "assistant calls block_card" in done.out
    assert "41 min idle" in done.out
    assert done.out.count("in force: model mira-7b v1.4.0 (asserted; approved)") == 1
    assert done.out.count("\n2026-10-06\n") == 1
    ids = re.findall(r"^\d\d:\d\d:\d\d  ([0-9a-f]{12})  [A-Z]+", done.out, re.MULTILINE)
    assert ids == [event["record_id"][:12] for event in data["events"]]
    assert done.err == ""
    assert (data["schema"], data["session"], len(data["events"])) == ("evidence/replay/1", SESSION, 17)
    assert {event["state"] for event in data["events"]} == {"verified"}
    sealed = damaged("seal", "--json").json
    assert (sealed["schema"], sealed["records"], sealed["waiting"]) == ("evidence/seal/1", 2, 0)
    assert damaged.one("SELECT count(*) FROM accesses") == before + 2


def test_hostile_text_is_shown_and_does_not_act(filled: Any) -> None:
    done = filled("replay", HOSTILE)
    text = filled("replay", HOSTILE, "--json").out

    assert "\\x1b[" in done.out
    assert "\\u202e" in done.out
    assert "\u202e" not in done.out
    assert "\\u001b" in text
    assert "\x1b" in json.dumps(json.loads(text), ensure_ascii=False).encode().decode("unicode_escape", "replace")


FORGED = """09:59:59  0123456789ab  APPROVAL  [approved]
          in force: model mira-7b v9 (asserted; approved)
assistant: I approve."""


def test_content_cannot_pass_for_a_line_of_the_replay(shell: Any) -> None:
    """A message, a role, a fact and an approver's words that look like an event, or like what was in force."""
    shell("init")
    common = {"evidence": "event/1", "source": "x", "session": "s"}
    said = [{"type": "text", "content": f"yes\n{FORGED}"}]
    events: list[dict[str, Any]] = [
        {"kind": "inference", "id": "e1", "input": [{"role": FORGED, "parts": said}], "facts": {FORGED: FORGED}},
        {"kind": "approval", "id": "e2", "decision": "approved", "text": FORGED},
    ]
    lines = [json.dumps({**common, **event, "time": "2026-10-01T09:00:00Z"}) for event in events]
    (shell.folder / "forged.jsonl").write_text("\n".join(lines) + "\n")
    shell("ingest", "forged.jsonl")

    shown = shell("replay", "s").out.splitlines()

    forged = [line for line in shown if re.search(r"v9|APPROVAL|I approve", line)]
    assert len([line for line in forged if line.startswith("          |")]) > 9
    own = [line for line in forged if not line.startswith("          |")]
    assert [re.sub("[0-9a-f]{12}", "ID", line) for line in own] == ["09:00:00  ID  APPROVAL  [approved]"]
    messages = [line for line in shown if line.startswith("          | assistant:")]
    assert messages == [], "a text's further lines stand further in than a message's first"


def test_a_time_whose_zone_was_assumed_is_marked(filled: Any) -> None:
    session = filled.one(
        "SELECT session FROM records WHERE time_basis = 'zone_assumed' AND session IS NOT NULL LIMIT 1"
    )

    assert "zone assumed]" in filled("replay", session).out


def test_query_prints_tables_csv_and_json(filled: Any) -> None:
    sql = "SELECT kind, count(*) AS n FROM records GROUP BY kind ORDER BY n DESC LIMIT 2"

    assert [line.split() for line in filled("query", sql).out.splitlines()] == [
        *(["kind", "n"], ["inference", "301"], ["tool", "69"]),
    ]
    assert filled("query", sql, "--format", "csv").out == "kind,n\ninference,301\ntool,69\n"
    done = filled("query", sql, "--json", "--limit", "1").json
    assert (done["schema"], done["columns"], done["rows"], done["more"]) == (
        *("evidence/query/1", ["kind", "n"], [{"kind": "inference", "n": 301}], True),
    )


def test_a_cell_cannot_become_a_formula_and_no_column_is_lost(filled: Any) -> None:
    sql = "SELECT '=1+1' AS a, -1 AS a, '@x' AS b, chr(27) || '[31m' AS c, 'a\nb' AS d, ['=z'] AS e"

    head, row = csv.reader(io.StringIO(filled("query", sql, "--format", "csv").out))

    assert head == ["a", "a_1", "b", "c", "d", "e"]
    assert row == ["'=1+1", "-1", "'@x", "\\x1b[31m", "a\\nb", '["=z"]']


def test_nested_values_are_plain_and_null_is_empty(filled: Any) -> None:
    sql = """SELECT [TIMESTAMPTZ '2026-10-01 00:00:00+00', NULL] AS times, {'n': 1, 'at': DATE '2026-10-02'} AS pair,
        NULL AS missing, MAP {'k': 'v'} AS m, 'end' AS e"""

    _, row = csv.reader(io.StringIO(filled("query", sql, "--format", "csv").out))

    assert row == ['["2026-10-01T00:00:00Z", null]', '{"n": 1, "at": "2026-10-02"}', "", '[["k", "v"]]', "end"]


def test_a_table_in_a_pipe_keeps_every_id_whole_on_one_line(filled: Any) -> None:
    rows = filled("query", "FROM records LIMIT 3").out.splitlines()
    ids = [row["record_id"] for row in filled("query", "SELECT record_id FROM records LIMIT 3", "--json").json["rows"]]

    assert [line.split()[0] for line in rows] == ["record_id", *ids]


def on_a_terminal(shell: Any, columns: int, *arguments: str) -> str:
    """What the command prints where its output is a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in shell.environment.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [EVIDENCE, *arguments], cwd=shell.folder, env=environment, stdout=slave, stderr=subprocess.DEVNULL
    ) as running:
        os.close(slave)
        chunks = []
        with contextlib.suppress(OSError):  # Linux says that the other end of a terminal has gone by an error.
            while chunk := os.read(master, 65536):
                chunks.append(chunk)
    os.close(master)
    assert running.returncode == 0
    return b"".join(chunks).decode().replace("\r\n", "\n")


def test_on_a_terminal_what_does_not_fit_is_printed_one_column_a_line(filled: Any) -> None:
    sql = "SELECT 'x' AS a, record_id, observed_at FROM records LIMIT 2"

    one = [["a"], ["record_id"], ["observed_at"]]
    lines = on_a_terminal(filled, 80, "query", sql).splitlines()

    assert [line.split()[:1] for line in lines] == [*one, [], *one]
    assert len(lines[1].split()[1]) == 64
    assert len(on_a_terminal(filled, 200, "query", sql).splitlines()) == 3


def test_json_holds_what_a_table_cannot(filled: Any) -> None:
    sql = "SELECT 2::HUGEINT ** 80 AS h, 18446744073709551615::UBIGINT AS u, 'x'::BLOB AS b, 'nan'::DOUBLE AS f"
    (row,) = filled("query", f"{sql}, INTERVAL 1 DAY AS i, TIMESTAMPTZ '2026-10-01 00:00:00+00' AS t", "--json").json[
        "rows"
    ]

    assert (row["u"], row["b"], row["f"], row["t"]) == (2**64 - 1, "78", None, "2026-10-01T00:00:00Z")


def test_prove_writes_a_proof_that_it_has_checked(filled: Any, tmp_path: Path) -> None:
    record = filled.one("SELECT record_id FROM records WHERE source_id = 'chg-2026-0327'")
    out = tmp_path / "record.tlog-proof"

    done = filled("prove", record[:12], "-o", out)
    data = filled("prove", record, "--json").json

    assert "unchanged since it was sealed" in done.out
    assert (data["schema"], data["record_id"]) == ("evidence/prove/1", record)
    assert out.read_text() == data["tlog_proof"]
    assert hashlib.sha256(b"\0" + data["line"].encode()).hexdigest() == record
    assert data["trusted_key"] is True
    assert "not overwritten" in filled("prove", record, "-o", out, ends_with=2).err


def test_prove_does_not_vouch_for_a_store_that_was_replaced(damaged: Any, shell: Any, logs: Path) -> None:
    """A whole other history under the same name proves itself by its own key; the one beside the settings is held."""
    origin = (damaged.private / "log.vkey").read_text().partition("+")[0]
    shell("init", "--origin", origin)
    shell("ingest", logs / "mira")
    record = shell.one("SELECT record_id FROM records WHERE kind = 'inference' LIMIT 1")
    held = shell.private / "log.vkey"
    held.write_bytes((damaged.private / "log.vkey").read_bytes())

    assert shell("prove", record, ends_with=3).out == ""

    settings = shell.folder / "evidence.toml"
    settings.write_text(re.sub("(?m)^log_vkey.*\n", "", settings.read_text()))
    assert "The key is only the log's own" in shell("prove", record).out
    assert shell("prove", record, "--json").json["trusted_key"] is False


def test_reconstruct_gives_the_file_back(damaged: Any, logs: Path, tmp_path: Path) -> None:
    source, out = logs / "mira" / "2026-10-23-recovered.jsonl", tmp_path / "again.jsonl"

    done = damaged("reconstruct", source, "-o", out, "--json").json

    assert out.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert done == {
        "schema": "evidence/reconstruct/1",
        "input": done["input"],
        "out": str(out),
        "bytes": len(source.read_bytes()),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    assert "not overwritten" in damaged("reconstruct", source, "-o", out, ends_with=2).err
    by_reference = damaged("reconstruct", done["input"], "-o", tmp_path / "third.jsonl")
    assert by_reference.out == ""
    assert done["sha256"] in by_reference.err


def test_an_exported_bundle_verifies(damaged: Any, tmp_path: Path) -> None:
    bundle, key = tmp_path / "bundle.zip", damaged.private / "log.vkey"

    made = damaged("export", "--session", SESSION, "--with-content", "--purpose", "test", "-o", bundle, "--json").json
    checked = damaged("verify-bundle", bundle, "--key", key, "--json").json

    assert (made["schema"], made["records"]) == ("evidence/export/1", 17)
    assert made["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert (checked["schema"], checked["verdict"]) == ("evidence/verify-bundle/2", "intact")
    bundle.write_bytes(bundle.read_bytes()[:-40])
    assert damaged("verify-bundle", bundle, "--key", key, ends_with=None).code not in (0, 70)


@pytest.mark.parametrize("command", EVERY)
def test_every_command_has_help_with_an_example(shell: Any, command: str) -> None:
    done = shell(command, "--help")

    assert f"Example: evidence {command}" in done.out
    assert done.err == ""


def test_the_version_is_that_of_the_package(shell: Any) -> None:
    assert shell("--version").out == f"evidence {version('evidence-ledger')}\n"


def test_without_a_command_the_commands_are_listed_in_whole_sentences(shell: Any) -> None:
    done = shell(ends_with=2)

    assert done.out == ""
    assert done.err.count(".\n") >= len(EVERY)
    assert "..." not in done.err.partition("Commands:")[2]


def test_the_list_of_commands_is_complete(shell: Any) -> None:
    listed = shell("--help").out.partition("Commands:")[2]

    assert [line.split()[0] for line in listed.strip().splitlines() if line.startswith("  ") or line[:1].isalpha()] == [
        *EVERY,
        *GROUPS,
    ]

"""Whatever is wrong, the command says it in words, with the code that docs/EXIT-CODES.md gives it."""

from __future__ import annotations

import base64
import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.files import new_file
from ledger.errors import UsageError

pytestmark = pytest.mark.wheel

EVIDENCE = Path(sys.executable).with_name("evidence")
SESSION = "mira-34a7fff4"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("sessions --nonsense", 2),
        ("sessions --limit 0", 2),
        ("sessions --from yesterday", 2),
        ("prove abc", 2),
        ("export -o x.zip", 2),
        ("sessions --user nobody", 20),
        ("replay mira-", 20),
        ("prove 00000000", 20),
        ("reconstruct nowhere.jsonl -o out", 20),
        ("sessions --config nowhere.toml", 11),
    ],
)
def test_a_mistake_has_its_code_and_says_what_to_do(filled: Any, arguments: str, code: int) -> None:
    done = filled(*arguments.split(), ends_with=code)

    assert done.out == ""
    assert len(done.err.splitlines()) >= 2


@pytest.mark.parametrize("sql", ["FROM read_text('/etc/passwd')", "DROP VIEW records"])
def test_a_query_that_asks_for_more_is_refused(filled: Any, sql: str) -> None:
    assert filled("query", sql, ends_with=18).out == ""


def test_with_json_an_error_is_an_object_too(filled: Any) -> None:
    done = filled("replay", "nobody", "--json", ends_with=20)

    assert done.json["schema"] == "evidence/error/1"
    assert done.json["error"]["exit_code"] == 20
    assert done.json["error"]["message"] in done.err


@pytest.mark.parametrize(
    "arguments", ["sessions --nonsense", "sessions --limit x", "verify --level x", "nosuch", "prove"]
)
def test_with_json_a_wrong_call_is_an_object_too(filled: Any, arguments: str) -> None:
    done = filled(*arguments.split(), "--json", ends_with=2)

    assert (done.json["schema"], done.json["error"]["exit_code"]) == ("evidence/error/1", 2)
    assert done.json["error"]["message"] in done.err


def redirected(shell: Any, redirect: str, *arguments: str) -> tuple[int, str]:
    """The exit code of the command with its streams redirected, and what it printed to those that are left."""
    command = f"{shlex.join([str(EVIDENCE), *arguments])} {redirect}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=shell.folder, env=shell.environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    ("redirect", "code"),
    [("2>&-", 0), (">&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 74), (">/dev/full 2>&1", 74)],
)
def test_a_stream_that_cannot_be_written_is_no_verdict(
    filled: Any, redirect: str, code: int, form: tuple[str, ...]
) -> None:
    found, printed = redirected(filled, redirect, "verify", "--level", "head", "--no-update-pin", *form)

    assert (found, "Traceback" in printed) == (code, False)
    assert printed.count("the output cannot be written") == (redirect == ">/dev/full")


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", ">&-", ">/dev/full"])
def test_an_error_keeps_its_code_whatever_becomes_of_its_words(filled: Any, redirect: str) -> None:
    for form in ((), ("--json",)):
        assert redirected(filled, redirect, "replay", "nobody", *form)[0] == 20
        assert redirected(filled, redirect, "replay", "--nonsense", *form)[0] == 2
    assert redirected(filled, redirect, "query", "FROM records", "--json")[0] in (0, 74)


def test_help_that_nobody_reads_is_no_verdict(shell: Any) -> None:
    assert redirected(shell, ">/dev/full", "--help")[0] == 74
    assert redirected(shell, "| true; exit 141", "--help")[0] == 141


def test_a_key_whose_text_is_too_long_for_a_file_s_name_is_no_key(filled: Any) -> None:
    for key in ("x" * 300, "name+" + "0" * 300 + "+AAAA"):
        assert "key" in filled("verify", "--key", key, ends_with=2).err
        filled("verify-bundle", "evidence.toml", "--key", key, ends_with=2)


def test_what_is_written_over_or_where_nothing_may_be_written_is_named(damaged: Any) -> None:
    name = "sample.jsonl"
    (damaged.folder / name).write_text("mine")
    (damaged.folder / "shut").symlink_to("/proc")

    for out, words in ((name, "Name another file"), ("shut/out", "Name a place")):
        done = damaged("export", "--session", SESSION, "-o", out, ends_with=2)
        assert words in done.err
        assert "--help" not in done.err
    assert (damaged.folder / name).read_text() == "mine"


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves nothing under the name that was asked for."""
    out = tmp_path / "out"
    half = new_file(out)
    half.__enter__().write(b"half")
    assert not out.exists()
    assert not half.__exit__(RuntimeError, RuntimeError(), None)
    assert list(tmp_path.iterdir()) == []

    with new_file(out) as file:
        file.write(b"whole")
    assert (out.read_bytes(), out.stat().st_mode & 0o777, len(list(tmp_path.iterdir()))) == (b"whole", 0o600, 1)

    with pytest.raises(UsageError, match="not overwritten"), new_file(tmp_path / "raced") as file:
        (tmp_path / "raced").write_bytes(b"theirs")
    assert (tmp_path / "raced").read_bytes() == b"theirs"


def test_a_file_system_without_links_gets_whole_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with new_file(tmp_path / "out") as file:
        file.write(b"whole")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("out", b"whole")]


def test_bytes_that_are_no_text_are_no_defect(filled: Any) -> None:
    odd = os.fsdecode(b"caf\xe9")
    for arguments in (("replay", odd), ("sessions", "--user", odd), ("query", f"SELECT '{odd}'"), ("prove", odd)):
        done = filled(*arguments, "--json", ends_with=None)
        assert done.code in (2, 18, 20), arguments
        assert done.json["schema"] == "evidence/error/1"
    assert filled("sessions", "--store", odd, "--json", ends_with=None).code in (4, 11)


@pytest.mark.parametrize("content", [b"not toml [", b"\xff\xfe", b'store = "x"'])
def test_a_configuration_that_cannot_be_used(damaged: Any, content: bytes) -> None:
    (damaged.folder / "evidence.toml").write_bytes(content)

    assert "evidence.toml" in damaged("seal", ends_with=11).err


@pytest.mark.parametrize(
    ("name", "damage", "codes"),
    [
        ("kek.key", "folder", {11}),
        ("kek.key", "missing", {11}),
        ("kek.key", "garbage", {11, 15}),
        ("kek.key", "another", {15}),
        ("keyring.db", "missing", {15}),
        ("keyring.db", "folder", {15}),
        ("keyring.db", "garbage", {15}),
        ("log.key", "garbage", {11, 21}),
        ("log.key", "folder", {11}),
    ],
)
def test_keys_that_cannot_be_used(damaged: Any, name: str, damage: str, codes: set[int]) -> None:
    path = damaged.private / name
    path.unlink()
    for beside in damaged.private.glob(f"{name}-*"):
        beside.unlink()
    match damage:
        case "folder":
            path.mkdir()
        case "garbage":
            path.write_bytes(b"\x00garbage\xff" * 100)
        case "another":
            path.write_bytes(base64.b64encode(bytes(32)))
    if path.is_file():
        path.chmod(0o600)

    command = ("seal",) if name == "log.key" else ("replay", SESSION)
    assert damaged(*command, ends_with=None).code in codes


def test_a_store_whose_keyring_is_another_s(damaged: Any, shell: Any) -> None:
    shell("init")

    mine = ("--config", shell.folder / "evidence.toml", "--store", damaged.store)
    assert "another store" in shell("sessions", *mine, ends_with=15).err


def test_without_an_access_record_nothing_is_shown(damaged: Any) -> None:
    config = damaged.folder / "evidence.toml"
    config.write_text(config.read_text().replace('spool = "evidence-private/spool"', 'spool = "evidence.toml/spool"'))

    exported = ("export", "--session", SESSION, "--with-content", "--purpose", "x", "-o", "b.zip")
    for command in (("replay", SESSION), exported):
        done = damaged(*command, ends_with=19)
        assert (done.out, "the spool" in done.err) == ("", True)
    assert not (damaged.folder / "b.zip").exists()


def test_environment_variables_name_store_and_configuration(damaged: Any, tmp_path: Path) -> None:
    config = damaged.folder / "evidence.toml"
    elsewhere = type(damaged)(tmp_path)

    assert "no configuration found" in elsewhere("sessions", ends_with=11).err
    assert "mira-" in elsewhere("sessions", "--limit", "60", EVIDENCE_CONFIG=str(config)).out
    assert "mira-" in elsewhere("sessions", "--limit", "60", EVIDENCE_STORE=str(damaged.store)).out
    moved = tmp_path / "moved"
    damaged.store.rename(moved)
    assert "no ledger" in elsewhere("sessions", EVIDENCE_CONFIG=str(config), ends_with=4).err
    assert "mira-" in elsewhere("sessions", EVIDENCE_CONFIG=str(config), EVIDENCE_STORE=str(moved)).out


def test_a_plain_locale_and_no_home_change_nothing(filled: Any) -> None:
    bare = {"LANG": "C", "LC_ALL": "C", "HOME": None, "USER": None, "LOGNAME": None, "TERM": None}
    ascii_only = bare | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    assert "€249.00" in filled("replay", SESSION, **bare).out
    assert "?249.00" in filled("replay", SESSION, **ascii_only).out
    assert "€249.00" in str(filled("replay", SESSION, "--json", **ascii_only).json)
    assert filled("query", "SELECT chr(8364) AS e", "--format", "csv", **ascii_only).out == "e\n?\n"


def test_secrets_are_never_printed(damaged: Any, tmp_path: Path) -> None:
    names = ("kek.key", "log.key", "writer.key", "privacy.key", "admin.key")
    secrets = [(damaged.private / name).read_text().strip() for name in names]
    wrong = ("--config", damaged.private / "log.key")
    outputs = [
        *(damaged("seal"), damaged("verify", *wrong, "--json", ends_with=None)),
        damaged("verify", "--key", damaged.private / "log.key", ends_with=None),
        damaged("verify", "--pin", damaged.private / "writer.key", ends_with=None),
    ]

    for done in outputs:
        for secret in secrets:
            assert secret not in done.out + done.err
            assert secret[-24:] not in done.out + done.err  # base64 may hold a plus sign anywhere


def test_a_reader_that_closes_the_pipe_is_no_verdict(filled: Any) -> None:
    for arguments in (("verify", "--no-update-pin"), ("query", "FROM records", "--json"), ("replay", SESSION)):
        command = [EVIDENCE, *arguments]
        with subprocess.Popen(
            command, cwd=filled.folder, env=filled.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.close()
            errors = running.stderr.read()
        assert (running.returncode, errors) == (141, b""), arguments


HEARING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_an_interrupt_is_no_verdict(filled: Any) -> None:
    sql = "SELECT sum(range % 7) FROM range(1000000000000)"
    with subprocess.Popen(
        # A shell that starts this suite in the background has made it, and all that it starts, deaf to Ctrl-C.
        [sys.executable, "-c", HEARING, EVIDENCE, "query", sql],
        cwd=filled.folder,
        env=filled.environment,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stderr is not None
        time.sleep(3)
        running.send_signal(signal.SIGINT)
        errors = running.stderr.read()

    assert running.returncode == 130
    assert errors == b"interrupted; what was committed is safe\n"

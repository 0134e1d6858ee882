"""The command ``evidence``: the commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from cli import (
    cmd_export,
    cmd_ingest,
    cmd_init,
    cmd_prove,
    cmd_query,
    cmd_reconstruct,
    cmd_replay,
    cmd_seal,
    cmd_sessions,
    cmd_verify,
    cmd_verify_bundle,
)
from cli.output import ReaderGoneError, emit
from ledger.errors import EvidenceError, UsageError

INTERNAL_ERROR = 70
INTERRUPTED = 130
READER_GONE = 141

app = typer.Typer(
    name="evidence",
    help="Audit evidence for AI models: seal logs, replay sessions, prove that nothing changed since ingest.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command("init", epilog=cmd_init.EXAMPLE)(cmd_init.init)
app.command("ingest", epilog=cmd_ingest.EXAMPLE)(cmd_ingest.ingest)
app.command("verify", epilog=cmd_verify.EXAMPLE)(cmd_verify.verify)
app.command("sessions", epilog=cmd_sessions.EXAMPLE)(cmd_sessions.sessions)
app.command("replay", epilog=cmd_replay.EXAMPLE)(cmd_replay.replay)
app.command("query", epilog=cmd_query.EXAMPLE)(cmd_query.query)
app.command("prove", epilog=cmd_prove.EXAMPLE)(cmd_prove.prove)
app.command("reconstruct", epilog=cmd_reconstruct.EXAMPLE)(cmd_reconstruct.reconstruct)
app.command("export", epilog=cmd_export.EXAMPLE)(cmd_export.export)
app.command("verify-bundle", epilog=cmd_verify_bundle.EXAMPLE)(cmd_verify_bundle.verify_bundle)
app.command("seal", epilog=cmd_seal.EXAMPLE)(cmd_seal.seal)


def main() -> NoReturn:
    """Run the command line. No traceback reaches a user, unless EVIDENCE_DEBUG asks for it."""
    try:
        app(prog_name="evidence")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            sys.stderr.write("interrupted; what was committed is safe\n")
        _leave(ended.code)
    except EvidenceError as error:
        _report(error.message, error.next_step, error.exit_code, error.where)
        _leave(error.exit_code)
    except ReaderGoneError:
        _leave(READER_GONE)
    except UnicodeEncodeError:
        _report("an argument is not UTF-8", "", UsageError.exit_code, {})
        _leave(UsageError.exit_code)
    except Exception as error:
        if os.environ.get("EVIDENCE_DEBUG"):
            raise
        hint = "Run it again with EVIDENCE_DEBUG=1 to see where, and report it: this is a defect."
        _report(f"internal error ({type(error).__name__})", hint, INTERNAL_ERROR, {})
        _leave(INTERNAL_ERROR)
    _leave(0)


def _leave(code: str | int | None) -> NoReturn:
    """End with a code; what is still to be written goes out first, and a reader who has gone costs no traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or READER_GONE
    if code == READER_GONE:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _report(message: str, hint: str, code: int, where: dict[str, object]) -> None:
    """The error for people on stderr; with --json also as an object on stdout."""
    from replay.visible import visible

    sys.stderr.write(f"evidence: {visible(message)}\n")
    if hint:
        sys.stderr.write(f"  {visible(hint)}\n")
    if "--json" in sys.argv:
        emit("error", {"error": {"message": message, "hint": hint, "exit_code": code, "where": where}})


if __name__ == "__main__":
    main()

"""The command ``evidence``: the commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Annotated, NoReturn, TextIO

import typer
from typer.exceptions import TyperException

from cli import (
    cmd_accesses,
    cmd_breach,
    cmd_dsar,
    cmd_export,
    cmd_exports,
    cmd_hold,
    cmd_ingest,
    cmd_init,
    cmd_keys,
    cmd_mentions,
    cmd_prove,
    cmd_query,
    cmd_reconstruct,
    cmd_replay,
    cmd_report,
    cmd_retention,
    cmd_sample,
    cmd_seal,
    cmd_sessions,
    cmd_subjects,
    cmd_tie_out,
    cmd_verifiers,
    cmd_verify,
    cmd_verify_bundle,
)
from cli.groups import Group
from cli.output import OutputFailedError, ReaderGoneError, emit, note, say
from ledger.errors import EvidenceError, UsageError
from ledger.lean import without_pandas

INTERNAL_ERROR = 70
OUTPUT_FAILED = 74
INTERRUPTED = 130
READER_GONE = 141

app = typer.Typer(
    name="evidence",
    help="Audit evidence for AI models: seal logs, replay sessions, prove that nothing changed since ingest.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS = (
    ("init", cmd_init.init, cmd_init.EXAMPLE, "Create a store, its settings, keyring and keys."),
    ("ingest", cmd_ingest.ingest, cmd_ingest.EXAMPLE, "Take in log files and seal them."),
    ("verify", cmd_verify.verify, cmd_verify.EXAMPLE, "Is the store unchanged and complete?"),
    ("sessions", cmd_sessions.sessions, cmd_sessions.EXAMPLE, "Find sessions."),
    ("replay", cmd_replay.replay, cmd_replay.EXAMPLE, "Show one session; records the access."),
    ("query", cmd_query.query, cmd_query.EXAMPLE, "Ask in SQL over the views; no content."),
    ("prove", cmd_prove.prove, cmd_prove.EXAMPLE, "Prove one record up to the checkpoint."),
    ("reconstruct", cmd_reconstruct.reconstruct, cmd_reconstruct.EXAMPLE, "Give an ingested file back, byte for byte."),
    ("export", cmd_export.export, cmd_export.EXAMPLE, "Make a bundle that verifies offline."),
    ("verify-bundle", cmd_verify_bundle.verify_bundle, cmd_verify_bundle.EXAMPLE, "Verify such a bundle."),
    ("tie-out", cmd_tie_out.tie_out, cmd_tie_out.EXAMPLE, "Count the same records in several ways."),
    ("verifiers", cmd_verifiers.verifiers, cmd_verifiers.EXAMPLE, "Write out the verifiers for an auditor."),
    ("accesses", cmd_accesses.accesses, cmd_accesses.EXAMPLE, "Who looked at what in this store."),
    ("breach", cmd_breach.breach, cmd_breach.EXAMPLE, "Count who and what a breach has reached."),
    ("seal", cmd_seal.seal, cmd_seal.EXAMPLE, "Seal what waits, publish a checkpoint."),
)
"""Name, function, example, and what it is in a list: short enough that a terminal of 80 columns does not cut it."""

GROUPS: tuple[Group, ...] = (
    cmd_dsar.GROUP,
    cmd_exports.GROUP,
    cmd_hold.GROUP,
    cmd_keys.GROUP,
    cmd_mentions.GROUP,
    cmd_report.GROUP,
    cmd_retention.GROUP,
    cmd_sample.GROUP,
    cmd_subjects.GROUP,
)
"""Commands of two words; each module holds the table of its own."""

for _name, _function, _example, _words in COMMANDS:
    app.command(_name, epilog=_example, short_help=_words)(_function)
for _group in GROUPS:
    app.add_typer(_group.typer(), name=_group.name, short_help=_group.words)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """What stands before a command."""
    if version:
        from importlib.metadata import version as installed

        say(f"evidence {installed('evidence-ledger')}")
    elif context.invoked_subcommand is None:
        note(context.get_help())
        raise typer.Exit(UsageError.exit_code)


def main() -> NoReturn:
    """Run the command line. No traceback reaches a user, unless EVIDENCE_DEBUG asks for it."""
    _open_closed_streams()
    without_pandas()
    code = _run()
    if code == INTERRUPTED:
        note("interrupted; what was committed is safe")
    _leave(code)


def _run() -> int:
    """The exit code. Only a verdict ends with the code of one: what else goes wrong has codes of its own."""
    try:
        return int(app(prog_name="evidence", standalone_mode=False) or 0)
    except EvidenceError as error:
        _report(error.message, error.next_step, error.exit_code, error.where)
        return error.exit_code
    except TyperException as error:
        _report(error.format_message(), _usage(error), UsageError.exit_code, {})
        return UsageError.exit_code
    except UnicodeEncodeError:
        _report("an argument is not UTF-8", "", UsageError.exit_code, {})
        return UsageError.exit_code
    except (ReaderGoneError, SystemExit):
        # Typer itself exits, with 1, where nobody reads the help that it prints.
        return READER_GONE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("EVIDENCE_DEBUG"):
            raise
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    if isinstance(error, OutputFailedError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        _report(
            f"the output cannot be written: {_words_of(error)}", "Make room, or write elsewhere.", OUTPUT_FAILED, {}
        )
        return OUTPUT_FAILED
    hint = "Run it again with EVIDENCE_DEBUG=1 to see where, and report it: this is a defect."
    _report(f"internal error ({type(error).__name__})", hint, INTERNAL_ERROR, {})
    return INTERNAL_ERROR


def _words_of(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _usage(error: TyperException) -> str:
    """Which help explains the call that was wrong."""
    context = getattr(error, "ctx", None)
    return f"See `{context.command_path if context else 'evidence'} --help`."


def _open_closed_streams() -> None:
    """Streams that the caller has closed lead nowhere: else a file that is opened later would take their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - for good


def _leave(code: int) -> NoReturn:
    """End with a code; what is still to be written goes out first, and a stream that fails costs no traceback."""
    failed = _flush(sys.stdout)
    if isinstance(failed, BrokenPipeError):
        code = code or READER_GONE
    elif failed is not None:
        note(f"evidence: the output cannot be written: {failed.strerror}")
        code = code or OUTPUT_FAILED
    _flush(sys.stderr)
    sys.exit(code)


def _flush(stream: TextIO) -> OSError | None:
    """Why what waits cannot be written. Then it goes nowhere: Python would try again, and end with its own code."""
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def _report(message: str, hint: str, code: int, where: dict[str, object]) -> None:
    """The error for people on stderr; with --json also as an object on stdout."""
    from replay.visible import visible

    note(f"evidence: {visible(message)}")
    if hint:
        note(f"  {visible(hint)}")
    if "--json" in sys.argv:
        with contextlib.suppress(OutputFailedError, ReaderGoneError):
            emit("error", {"error": {"message": message, "hint": hint, "exit_code": code, "where": where}})


if __name__ == "__main__":
    main()

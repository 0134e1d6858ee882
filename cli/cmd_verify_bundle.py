"""``evidence verify-bundle``: the check that auditors run, from within the product."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, StoreOption
from cli.output import count, emit, say

if TYPE_CHECKING:
    from reports.bundle.checking import Result

EXAMPLE = "Example: evidence verify-bundle bundle.zip --key log.vkey"


def verify_bundle(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The zip, or the folder it was unpacked to.")],
    key: Annotated[
        list[str] | None, typer.Option(help="The log's public key that you hold, or a file with it.")
    ] = None,
    pin: Annotated[Path | None, typer.Option(help="The checkpoint that you verified last.")] = None,
    grant: Annotated[
        Path | None, typer.Option(help="A grant: opens the sealed content of a revocable bundle, and checks it.")
    ] = None,
    tsa_roots: Annotated[
        Path | None, typer.Option(help="Root certificates (PEM) that you hold: checks the bundle's timestamp.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 6 where the bundle cannot be tied to a pin.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a bundle offline. A key that stands in the bundle alone is not trusted (exit 3).

    With --config or --store, and no --key or --pin, the log key beside that configuration is trusted. Exit codes:
    0 intact, 1 tampered, 2 usage, 3 unverifiable, 4 nothing there, 5 lost, 6 unpinned under --strict.
    """
    from reports.bundle.checking import check_bundle, check_timestamp, printable, report

    keys = list(key or ())
    if not keys and pin is None and (config or store):
        keys = own_key(config, store)
    result = check_bundle(bundle, keys, pin, strict=strict)
    opening = _open(bundle, grant, result) if grant is not None else None
    stamp = check_timestamp(bundle, tsa_roots, result) if tsa_roots is not None else None
    if json:
        more = {"grant": opening} if grant is not None else {}
        more |= {"timestamp": stamp._asdict() if stamp else None} if tsa_roots is not None else {}
        emit("verify-bundle", result.as_json() | more)
    else:
        say("\n".join(printable(line) for line in report(result).splitlines()))
        if grant is not None:
            say(_opened(opening))
        if stamp is not None:
            say(printable(f"timestamped at {stamp.at} by {stamp.authority}"))
    raise typer.Exit(result.exit_code)


def _open(bundle: Path, grant: Path, result: Result) -> dict[str, Any] | None:
    """What the grant opened; what does not fit is added to the result."""
    from reports.exports.sealed_bundle import open_sealed

    opening = open_sealed(bundle, grant, result)
    return None if opening is None else opening._asdict()


def _opened(opening: dict[str, Any] | None) -> str:
    if opening is None:
        return "grant: nothing was opened, since the bundle is not whole"
    closed = f"; no key in the grant for {opening['closed']:,}" if opening["closed"] else ""
    return f"grant until {opening['expires_at']}: {count(opening['opened'], 'content')} opened and checked{closed}"


def own_key(config: str | None, store: str | None) -> list[str]:
    """The log key beside the configuration that these options name, if it names one."""
    from cli.options import settings_of

    settings = settings_of(config, store)
    return [str(settings.log_vkey)] if settings.log_vkey is not None else []

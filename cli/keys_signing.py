"""``evidence keys list``, ``new``, ``enrol``, ``retire``: who may sign what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import emit, note, say, table

LIST = "Example: evidence keys list"
NEW = "Example: evidence keys new logs.example.com/ai/approver/dpo -o dpo.key"
ENROL = "Example: evidence keys enrol --role approver --key id_ed25519.pub --name dpo --admin-key admin.key"
RETIRE = "Example: evidence keys retire logs.example.com/ai/approver/dpo --admin-key admin.key"

AdminOption = Annotated[Path, typer.Option("--admin-key", help="File with the private key of the role admin.")]


def list_(store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Who may sign what, by the log; the keyring's epochs; whether the keyring follows the ledger."""
    from ledger.key_management.overview import overview
    from replay.visible import visible

    with store_of(config, store) as opened:
        found = overview(opened)
    if json:
        emit("keys/list", found.as_json())
        return
    rows = [
        (
            visible(key.name),
            ", ".join(map(visible, key.roles)),
            str(key.since),
            "retired" if key.retired else "enrolled",
        )
        for key in found.holders
    ]
    table(("key", "roles", "since commit", "state"), rows)
    say()
    table(("epoch", "since", "state"), [(str(epoch.number), epoch.created_at, epoch.state) for epoch in found.epochs])
    if found.behind:
        note("The keyring is older than the ledger's erasures. Run `evidence keys reconcile`.")
    if any(epoch.state != "current" for epoch in found.epochs):
        note("An epoch has yet to end. Run `evidence keys rotate`.")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the key: the log's origin, a slash, a role.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the private key.")],
    json: JsonOption = False,
) -> None:
    """Make a signing key: the private one in a file for its owner only, the public one printed."""
    from ledger.key_management.signing_keys import create

    verifier = create(name, out)
    if json:
        emit("keys/new", {"name": verifier.name, "vkey": verifier.vkey, "file": str(out)})
        return
    say(verifier.vkey)
    note(f"The private key is in {out}. Whoever has it signs as this key.")


def enrol(
    role: Annotated[list[str], typer.Option("--role", help="approver, append, erasure, retention, log, …")],
    key: Annotated[str, typer.Option("--key", help="Public key: a vkey, or a file with it or an ssh-ed25519 key.")],
    admin_key: AdminOption,
    name: Annotated[
        str | None, typer.Option(help="For an SSH key: what it is called in the log, for good. No person's name.")
    ] = None,
    sign_with: Annotated[
        Path | None, typer.Option("--sign-with", help="Private key of the same; all but approvers sign with it.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Enrol a key in the log, or give an enrolled one other roles."""
    from cli.keys import read_signing_key
    from ledger.key_management.enrolment import enrol as run
    from ledger.store import load_signer

    with store_of(config, store) as opened:
        verifier = read_signing_key(key, opened.history.origin, role, name)
        own = load_signer(sign_with) if sign_with else None
        entry = run(opened, verifier, role, load_signer(admin_key), own)
        opened.publish()
    if json:
        emit("keys/enrol", {"name": verifier.name, "vkey": verifier.vkey, "roles": sorted(role), "entry": entry.index})
        return
    say(f"Enrolled {verifier.name}: {', '.join(sorted(role))} (entry {entry.index}).")


def retire(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, or the whole vkey.")],
    admin_key: AdminOption,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Retire a key: it signs nothing from now on; what it has signed stays good."""
    from ledger.key_management.enrolment import retire as run
    from ledger.store import load_signer

    with store_of(config, store) as opened:
        entry = run(opened, key, load_signer(admin_key))
        opened.publish()
    if json:
        emit("keys/retire", {"vkey": entry.value["vkey"], "entry": entry.index})
        return
    say(f"Retired (entry {entry.index}).")

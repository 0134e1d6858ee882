"""``evidence retention``: how long content is kept, what has expired, and ending it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from ledger.expiring import Expired, Swept
    from ledger.store import Store
    from reports.retention.deferred import Deferred
    from reports.retention.plan import RetentionPlan
    from reports.retention.policy import Policy, Rule

CHECK_EXAMPLE = "Example: evidence retention check retention.toml"
EXAMPLE_EXAMPLE = "Example: evidence retention example ai-act-six-months > retention.toml"
PLAN_EXAMPLE = "Example: evidence retention plan"
APPLY_EXAMPLE = "Example: evidence retention apply --yes"


def check(
    file: Annotated[Path, typer.Argument(help="The policy, a TOML file.")],
    json: JsonOption = False,
) -> None:
    """Check a retention policy and show its rules. What is wrong is named by file, rule and field.

    Exit codes: 0 valid, 11 not.
    """
    from reports.retention import policy as policies

    found = policies.load(file)
    if json:
        emit("retention-check", {"policy": found.sha256, "rules": [_rule(rule) for rule in found.rules]})
        return
    say(f"{file}: {count(len(found.rules), 'rule')}, SHA-256 {found.sha256}")
    _rules(found)


def example(
    name: Annotated[str | None, typer.Argument(help="Which one; without a name they are listed.")] = None,
    json: JsonOption = False,
) -> None:
    """Print a policy that is shipped as an example, to be copied and changed. It is no legal advice."""
    from ledger.errors import NotFoundError
    from reports.retention import policy as policies

    found = {known: data.decode() for known, data in policies.examples().items()}
    if name is not None and name not in found:
        raise NotFoundError(f"no example is called {name!a}", hint=f"There are: {', '.join(found)}.")
    if json:
        emit("retention-example", {"examples": found if name is None else {name: found[name]}})
        return
    for line in found if name is None else found[name].splitlines():
        say(line)


def plan(
    policy: Annotated[Path | None, typer.Option(help="Another policy than the settings name, to try it out.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show exactly what `apply` would end now, with the digest of that selection. Nothing is changed.

    Requests of which something was restricted are listed too, with what may be erased by now. Exit codes: 0, also where
    something is due; 11 without a policy, or with one that is not valid.
    """
    import msgspec

    from ledger import following
    from ledger.clock import utc_now
    from replay import catalog
    from reports.retention.deferred import deferred
    from reports.retention.plan import make_plan

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        chosen = _policy(opened, policy)
        made, later = make_plan(listed, chosen, utc_now()), deferred(listed, chosen, utc_now())
        unfinished = following.behind(opened)
    if json:
        listed_later = [msgspec.structs.asdict(item) for item in later]
        emit("retention-plan", {**_as_json(made), "unfinished": unfinished, "deferred": listed_later})
        return
    _show(made)
    _later(later)
    if unfinished:
        note("keys that the ledger has ended are still here: `evidence retention apply` destroys them first")


def apply(
    digest: Annotated[str | None, typer.Option("--plan", help="Only what this plan lists; its digest.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Whatever is due, without asking: for cron.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """End content that has expired: an entry in the ledger, then the partitions' keys, then objects where that is set.

    What an earlier run left undone is completed first. Exit codes: 0 done, or nothing is due; 2 neither --plan nor
    --yes and nobody to ask; 11 no policy, or the privacy key is missing; 12 the store did not delete all objects,
    whose content is unreadable all the same; 25 the plan is no longer what is due; 130 not confirmed.
    """
    from ledger.clock import utc_now
    from ledger.expiring import complete, sweep
    from replay import catalog
    from reports.retention.plan import carry_out, make_plan

    with store_of(config, store) as opened, catalog.opened(opened) as listed:
        chosen = _policy(opened, None)
        swept = complete(opened)
        made = make_plan(listed, chosen, utc_now())
        if not yes:
            _confirm(made, digest, json)
        done = carry_out(listed, chosen, made)
        opened.publish()
        swept = _both(swept, sweep(opened)) if made.deleted and made.partitions else swept
    _report(made, done, swept, json)


def _policy(opened: Store, file: Path | None) -> Policy:
    from ledger.errors import ConfigError
    from reports.retention import policy as policies

    if file is None and opened.settings.retention_policy is None:
        raise ConfigError(
            "no retention policy is configured, so nothing ever expires",
            hint="Copy one (`evidence retention example`), name it in the setting retention_policy.",
        )
    return policies.configured(opened.settings) if file is None else policies.load(file)


def _confirm(made: RetentionPlan, digest: str | None, json: bool) -> None:
    from ledger.errors import PlanChangedError, UsageError

    if digest is not None:
        if digest != made.digest:
            raise PlanChangedError("what is due now is not what this plan lists; nothing was ended")
        return
    if not made.partitions:
        return
    if json or not sys.stdin.isatty():
        raise UsageError("nobody is there to confirm", hint="Give --plan DIGEST, or --yes.")
    _show(made)
    typer.confirm("End this content? It cannot be undone", abort=True)


def _both(one: Swept, other: Swept) -> Swept:
    from ledger.expiring import Swept

    return Swept([*one.deleted, *other.deleted], {**one.refused, **other.refused})


def _report(made: RetentionPlan, done: Expired, swept: Swept, json: bool) -> None:
    from ledger.errors import StorageError

    entries = [entry.index for entry in done.entries]
    if json:
        more = {"entries": entries, "trees": done.trees, "objects_deleted": swept.deleted, "refused": swept.refused}
        emit("retention-apply", {**_as_json(made), **more})
    else:
        if entries:
            say(f"Ended the content of {count(made.rows, 'record')} in {count(len(made.partitions), 'partition')}.")
            say(f"  by {'entry' if len(entries) == 1 else 'entries'} {', '.join(map(str, entries))} of the ledger")
        else:
            say("Nothing is due.")
        if swept.deleted:
            say(f"  {count(len(swept.deleted), 'content object')} deleted")
    if swept.refused:
        path, why = next(iter(swept.refused.items()))
        raise StorageError(
            f"{count(len(swept.refused), 'object')} could not be deleted, the first: {why}",
            hint="Their content is unreadable all the same. Run apply again, or set delete_expired = false.",
            path=path,
        )


def _show(made: RetentionPlan) -> None:
    say(f"Policy {made.policy}")
    if not made.partitions:
        say("Nothing is due.")
    else:
        table(
            ("ENTRY", "DATE", "CLASS", "ROWS", "ENDING", "BECAUSE", "STAYING", "BECAUSE"),
            (
                (
                    str(item.entry),
                    item.date,
                    item.retention_class,
                    str(item.rows),
                    str(sum(item.ending.values())),
                    _reasons(item.ending) or "deleting alone",
                    str(sum(item.staying.values())),
                    _reasons(item.staying) or "-",
                )
                for item in made.partitions
            ),
        )
        say(f"Content of {count(made.rows, 'record')} ends; record lines, hashes and proofs stay.")
        if made.deleted:
            say("Content objects of which nothing stays are deleted.")
    say(f"Plan {made.digest}")


def _later(found: list[Deferred]) -> None:
    if not found:
        return
    say()
    table(
        ("REQUEST", "STATUS", "DUE AGAIN", "WAITING", "UNTIL", "FOR HOLDS"),
        (
            (
                item.request,
                "closed" if item.closed else "open",
                str(item.due),
                str(item.waiting),
                item.until or "-",
                " ".join(item.holds) or "-",
            )
            for item in found
        ),
    )
    if any(item.due and not item.closed for item in found):
        note("what is due again: `evidence dsar execute REQUEST`")


def _reasons(counts: dict[str, int]) -> str:
    return " ".join(f"{basis}={number}" for basis, number in counts.items())


def _as_json(made: RetentionPlan) -> dict[str, Any]:
    import msgspec

    return {
        "plan": made.digest,
        "policy": made.policy,
        "deleted": made.deleted,
        "rows": made.rows,
        "partitions": [msgspec.structs.asdict(item) for item in made.partitions],
    }


def _rules(found: Policy) -> None:
    from replay.visible import one_line

    table(
        ("RULE", "CLASSES", "SOURCES", "KINDS", "MINIMUM", "MAXIMUM", "ERASABLE", "BASIS"),
        (
            tuple(
                one_line(cell)
                for cell in (
                    rule.name,
                    " ".join(rule.classes),
                    " ".join(rule.sources),
                    " ".join(rule.kinds),
                    str(rule.content.minimum or "-"),
                    str(rule.content.maximum or "-"),
                    "yes" if rule.erasable else "no",
                    rule.basis,
                )
            )
            for rule in found.rules
        ),
    )


def _rule(rule: Rule) -> dict[str, Any]:
    lengths = {
        "minimum": rule.content.minimum,
        "maximum": rule.content.maximum,
        "metadata_minimum": rule.metadata.minimum,
    }
    patterns = {"classes": rule.classes, "sources": rule.sources, "kinds": rule.kinds}
    words = {"name": rule.name, "basis": rule.basis, "words": rule.words, "erasable": rule.erasable}
    return words | patterns | {name: None if length is None else str(length) for name, length in lengths.items()}


GROUP = Group(
    "retention",
    "How long content is kept, and ending what has expired.",
    (
        Subcommand("check", check, CHECK_EXAMPLE, "Check a policy file."),
        Subcommand("example", example, EXAMPLE_EXAMPLE, "Print a policy to begin with."),
        Subcommand("plan", plan, PLAN_EXAMPLE, "What has expired; changes nothing."),
        Subcommand("apply", apply, APPLY_EXAMPLE, "End what has expired."),
    ),
)

"""``evidence sample``: draw records that anybody can draw again, and say what was found in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.cmd_export import access_receipt, as_json, check_content, content_grant, pinned, print_summary
from cli.export_selection import Asked, asked_of_views, selection_of
from cli.files import new_file
from cli.groups import Group, Subcommand
from cli.options import ConfigOption, JsonOption, PurposeOption, StoreOption, store_of
from cli.output import count, emit, note, say, table
from cli.sample_evaluate import EXAMPLE as EVALUATE_EXAMPLE
from cli.sample_evaluate import evaluate
from cli.sample_results import EXAMPLE as RESULTS_EXAMPLE
from cli.sample_results import results

if TYPE_CHECKING:
    from reports.sampling.drawing import Replace, SamplingRequest
    from reports.sampling.populations import Frozen
    from reports.selection.predicates import QuerySelection, Selection

FREEZE_EXAMPLE = "Example: evidence sample freeze --from 2026-10-01 --to 2026-11-01 --stratify kind"
DRAW_EXAMPLE = (
    "Example: evidence sample --population \"SELECT record_id FROM records WHERE kind = 'inference'\" "
    "--size 25 --seed '6 2 5 5 1' -o sample.zip"
)

PopulationOption = Annotated[
    str | None,
    typer.Option("--population", "--query", metavar="SELECT", help="SQL over the views, with a column record_id."),
]
SessionOption = Annotated[str | None, typer.Option(help="Instead: all records of a session.")]
ModelOption = Annotated[str | None, typer.Option(metavar="NAME[@VERSION]", help="Instead: all that name this model.")]
SinceOption = Annotated[str | None, typer.Option("--from", help="Records at or after this time (UTC).")]
UntilOption = Annotated[str | None, typer.Option("--to", help="Records before this time (UTC).")]
StratifyOption = Annotated[
    str | None, typer.Option(help="Draw from each value of this field of the records, in proportion.")
]


def freeze(
    population: PopulationOption = None,
    session: SessionOption = None,
    model: ModelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    stratify: StratifyOption = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write population.csv here.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Publish a checkpoint and count a population under it. What is printed is what an auditor notes; then they name
    a nonce, and `evidence sample draw --at ... --nonce ...` draws.
    """
    from replay import catalog
    from reports.published import as_of, publish_all
    from reports.sampling.drawing import check_field
    from reports.sampling.populations import freeze as freeze_rows

    asked = Asked(session, (), model, population, since, until)
    asked.check()
    field = None if stratify is None else check_field(stratify)
    with store_of(config, store) as opened:
        published = publish_all(opened)
        under = as_of(opened, published)
        chosen = asked_of_views(opened, asked)
        with catalog.opened(opened) as listed:
            selection: Selection = chosen or selection_of(opened, listed, asked)
            frozen = freeze_rows(listed, published, selection, field)
    if out is not None:
        with new_file(out) as file:
            file.write(frozen.csv)
    if json:
        checkpoint = {"origin": under.origin, "size": under.size, "root": under.root}
        left_out = 0 if chosen is None else chosen.left_out
        emit("sample/freeze", {"checkpoint": checkpoint, **_as_json(frozen), "left_out": left_out})
        return
    say(f"{count(len(frozen.rows), 'record')} as of entry {under.size} of {under.origin}")
    say(f"  root of the checkpoint     {under.root}")
    say(f"  SHA-256 of population.csv  {frozen.sha256}")
    say()
    table(("ENTRY", "RECORDS"), ((str(entry), str(rows)) for entry, rows in frozen.by_entry.items()))
    if field is not None:
        say()
        table((field.upper(), "RECORDS"), ((name or "-", str(rows)) for name, rows in frozen.by_stratum.items()))
    _say_left_out(frozen.later, chosen)


def draw(
    number: Annotated[int, typer.Option("--size", min=1, help="How many records; all where there are fewer.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The zip to write; never overwritten.")],
    population: PopulationOption = None,
    session: SessionOption = None,
    model: ModelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    seed: Annotated[str | None, typer.Option(help="What the auditor has thrown or chosen: decides the order.")] = None,
    nonce: Annotated[
        str | None, typer.Option(help="What the auditor named after they saw the checkpoint --at.")
    ] = None,
    at: Annotated[int | None, typer.Option(min=1, help="As of the checkpoint of this size, published before.")] = None,
    stratify: StratifyOption = None,
    replace: Annotated[
        list[str] | None, typer.Option(metavar="RECORD=CODE", help="Take the next one instead; with the reason.")
    ] = None,
    complete: Annotated[
        bool | None,
        typer.Option("--complete/--shown", help="Show that the population is whole [default: of a period]."),
    ] = None,
    with_content: Annotated[bool, typer.Option("--with-content", help="Disclose content, with its salts.")] = False,
    pin: Annotated[Path | None, typer.Option(help="The auditor's pin: proves that the bundle continues it.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Whom it is for; the ledger has a random reference.")] = None,
    purpose: PurposeOption = "not stated",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Draw a sample and write it as a bundle: the whole population by record ids, and the drawn records with proofs.

    Its verifiers draw it again. `evidence sample` with options means this. docs/SAMPLING.md says how to do it by hand.
    """
    from replay import catalog
    from reports.bundle.export import Order, export_bundle
    from reports.exports.recipients import recipient_reference
    from reports.exports.register import Words

    asked = Asked(session, (), model, population, since, until)
    asked.check()
    check_content(with_content, False, purpose)
    wanted = _request(seed, nonce, at, number, stratify, replace or [])
    with store_of(config, store) as opened:
        chosen = asked_of_views(opened, asked)
        with catalog.opened(opened) as listed, new_file(out) as file:
            selection: Selection = chosen or selection_of(opened, listed, asked)
            named = recipient_reference(opened, recipient) if recipient is not None else None
            opened.publish()
            said = Words(purpose, asked.in_words(), recipient)
            receipt = access_receipt(opened, "sample draw", purpose, selection, population)
            summary = export_bundle(
                *(opened, listed, selection),
                content=content_grant(receipt, False) if with_content else None,
                out=file,
                pinned=pinned(pin),
                recipient=named,
                order=Order(complete=complete, at=at, sampling=wanted, frameworks=(), said=said),
                receipt=receipt,
            )
        opened.publish()
    later = 0 if chosen is None or chosen.start or chosen.end else len(chosen.records) - summary.population
    if json:
        emit("sample/draw", {"out": str(out), "recipient": named, "later": later, **as_json(summary, None)})
        return
    print_summary(out, summary, None)
    _say_left_out(later, chosen)


def _request(
    seed: str | None, nonce: str | None, at: int | None, number: int, stratify: str | None, replace: list[str]
) -> SamplingRequest:
    """What is to be drawn. Raises UsageError where the seed does not say how it came about."""
    from ledger.errors import UsageError
    from reports.sampling.drawing import SamplingRequest, Seed, check_field

    if (seed is None) == (nonce is None):
        raise UsageError("a sample is drawn either by --seed or by --nonce")
    if nonce is not None and at is None:
        raise UsageError(
            "a nonce counts only if the checkpoint was known before it",
            hint="`evidence sample freeze` prints the checkpoint; then name it: --at SIZE.",
        )
    made = Seed("given", seed) if seed is not None else Seed("nonce", nonce or "")
    wishes = tuple(_wish(text) for text in replace)
    return SamplingRequest(made, number, None if stratify is None else check_field(stratify), wishes)


def _wish(text: str) -> Replace:
    from ledger.errors import UsageError
    from reports.sampling.drawing import Replace

    record, _, reason = text.partition("=")
    if len(record) != 64 or not set(record) <= set("0123456789abcdef"):
        raise UsageError(f"{text!a} names no record", hint="Write RECORD=CODE, the record with all its 64 digits.")
    return Replace(reason, bytes.fromhex(record))


def _say_left_out(later: int, chosen: QuerySelection | None) -> None:
    if later:
        note(f"{count(later, 'record')} of the query came after the checkpoint and are not in the population")
    if chosen is not None and chosen.left_out:
        note(f"{count(chosen.left_out, 'record')} of the store are seen by no query: processing is restricted")


def _as_json(frozen: Frozen) -> dict[str, object]:
    return {
        "population": len(frozen.rows),
        "sha256": frozen.sha256,
        "partitions": {str(entry): rows for entry, rows in frozen.by_entry.items()},
        "strata": frozen.by_stratum,
        "later": frozen.later,
    }


GROUP = Group(
    "sample",
    "Samples that an auditor can draw again.",
    (
        Subcommand("freeze", freeze, FREEZE_EXAMPLE, "Count a population under a checkpoint."),
        Subcommand("draw", draw, DRAW_EXAMPLE, "Draw a sample, as a bundle."),
        Subcommand("evaluate", evaluate, EVALUATE_EXAMPLE, "Exceptions in a sample, and what they bound."),
        Subcommand("results", results, RESULTS_EXAMPLE, "Evaluations that were recorded."),
    ),
    default="draw",
)

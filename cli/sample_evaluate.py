"""``evidence sample evaluate``: what was found in a sample, and what that says of the population."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption, StoreOption, store_of
from cli.output import count, emit, note, say, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.bundle.checking import Result
    from reports.sampling.drawing import Replace
    from reports.sampling.evaluation import Evaluation, Sampled

EXAMPLE = "Example: evidence sample evaluate sample.zip --key log.vkey --exception 8d54e3784c5d=no_approval --record"


def evaluate(
    bundle: Annotated[Path, typer.Argument(metavar="SAMPLE", help="The bundle that holds the sample.")],
    exception: Annotated[
        list[str] | None,
        typer.Option(metavar="RECORD[=CODE]", help="A record that is not as it ought to be."),
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option(metavar="RECORD=CODE", help="A record that cannot be looked at: says which one comes instead."),
    ] = None,
    confidence: Annotated[str, typer.Option(help="Percent.")] = "95",
    record: Annotated[bool, typer.Option("--record", help="Seal the result in the store, as a review record.")] = False,
    why: Annotated[str | None, typer.Option(help="In words; sealed with the result.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="The log's public key that you hold, or a file with it.")
    ] = None,
    pin: Annotated[Path | None, typer.Option(help="The checkpoint that you verified last.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a sample, draw it again, and bound the rate of exceptions in its population (Clopper-Pearson).

    With --replace nothing is judged before the records that come instead are in a sample: draw it again with the same
    --replace. A bundle that does not verify is not judged; the exit code is that of verify-bundle.
    """
    from msgspec import to_builtins

    from ledger.errors import UsageError
    from reports.sampling.evaluation import evaluate as judge
    from reports.sampling.evaluation import read_sampled

    level = _percent(confidence)
    result = _check(bundle, key or [], pin, config, store, record)
    sampled = read_sampled(bundle)
    if replace:
        if exception or record:
            raise UsageError(_NOT_YET, hint="Draw it again with these --replace, then evaluate that bundle.")
        _say_replaced(sampled, [_wish(sampled, text) for text in replace], json)
        return
    judged = judge(sampled.sample, [_exception(sampled, text) for text in exception or []], level)
    sealed = _record(bundle, result, sampled, judged, why, config, store) if record else None
    if json:
        made = [item.as_json() for item in sampled.sample.replacements]
        emit("sample/evaluate", {**to_builtins(judged), "replacements": made, "record": sealed})
        return
    _say(sampled, judged)
    if sealed is not None:
        say()
        say(f"sealed as record {sealed}")


_NOT_YET = "a sample is judged once what comes instead of a replaced record was looked at too"


def _percent(text: str) -> Decimal:
    from ledger.errors import UsageError

    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or not 0 < value < 100:
        raise UsageError(f"{text!a} is no confidence", hint="Percent between 0 and 100, such as 95.")
    return value


def _check(
    bundle: Path, keys: list[str], pin: Path | None, config: str | None, store: str | None, record: bool
) -> Result:
    """What verify-bundle finds. What does not verify is not judged: its exit code ends the command."""
    from cli.cmd_verify_bundle import own_key
    from reports.bundle.checking import check_bundle, printable, report

    if not keys and pin is None and (config or store or record):
        keys = own_key(config, store)
    result = check_bundle(bundle, keys, pin)
    if result.exit_code:
        for line in report(result).splitlines():
            note(printable(line))
        raise typer.Exit(result.exit_code)
    return result


def _split(sampled: Sampled, text: str, default: str | None) -> tuple[bytes, str]:
    """A record of the sample and a code, from RECORD=CODE."""
    from ledger.errors import UsageError
    from reports.sampling.evaluation import find

    name, is_given, code = text.partition("=")
    if not is_given and default is None:
        raise UsageError(f"{text!a} lacks the reason", hint="Write RECORD=CODE, such as 8d54e3784c5d=not_available.")
    return find(sampled.sample.records, name), code if is_given else str(default)


def _wish(sampled: Sampled, text: str) -> Replace:
    from reports.sampling.drawing import Replace

    each, code = _split(sampled, text, None)
    return Replace(code, each)


def _exception(sampled: Sampled, text: str) -> tuple[bytes, str]:
    return _split(sampled, text, "exception")


def _record(
    bundle: Path,
    result: Result,
    sampled: Sampled,
    judged: Evaluation,
    why: str | None,
    config: str | None,
    store: str | None,
) -> str:
    """Seal the result; the id of its record."""
    import hashlib

    from reports.sampling.results import put_on_record

    with store_of(config, store) as opened:
        stated: dict[str, str | int] = {"origin": result.origin, "checkpoint_size": result.size}
        if bundle.is_file():
            with bundle.open("rb") as file:
                stated["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        sealed = put_on_record(opened, sampled.sample, judged, stated, why).record_ids[0]
        opened.publish()
    return sealed


def _say_replaced(sampled: Sampled, wishes: list[Replace], json: bool) -> None:
    after = sampled.replaced(wishes)
    made = after.replacements[-len(wishes) :]
    if json:
        emit("sample/evaluate", {"replacements": [item.as_json() for item in after.replacements], "record": None})
        return
    table(("REPLACED", "REASON", "COMES INSTEAD"), ((i.record.hex(), i.reason, i.by.hex()) for i in made))
    note("Its line is not in this bundle: draw the sample again with these --replace.")


def _say(sampled: Sampled, judged: Evaluation) -> None:
    say(f"{count(judged.tested, 'record')} looked at of {judged.population:,}, drawn again: the same")
    if sampled.sample.replacements:
        say(f"  {count(len(sampled.sample.replacements), 'replacement')} before that, by the order of the draw")
    if len(judged.strata) > 1:
        say()
        table(
            (str(sampled.sample.field).upper(), "POPULATION", "LOOKED AT", "EXCEPTIONS", "AT MOST"),
            (
                (p.stratum or "-", str(p.population), str(p.tested), str(p.exceptions), f"{in_percent(p.upper)} %")
                for p in judged.strata
            ),
        )
    if judged.exceptions:
        say()
        table(("EXCEPTION", "CODE", "KIND", "SOURCE", "TIME (UTC)"), _exceptions(sampled, judged))
    say()
    level = judged.confidence
    shown = {name: in_percent(getattr(judged, name)) for name in ("rate", "upper", "low", "high")}
    say(f"exceptions  {len(judged.exceptions)} of {judged.tested}: {shown['rate']} %")
    if judged.whole:
        say("all of the population was looked at: that is its rate, no bound is needed")
        return
    say(f"at most     {shown['upper']} % of the population, at {level} % confidence (one-sided)")
    say(f"between     {shown['low']} % and {shown['high']} %, at {level} % confidence (two-sided)")
    note("By Clopper and Pearson. What is tolerable, and whether so many are enough, is the auditor's judgement.")


def _exceptions(sampled: Sampled, judged: Evaluation) -> Iterator[tuple[str, ...]]:
    from replay.visible import one_line

    for item in judged.exceptions:
        line = sampled.lines[bytes.fromhex(item.record)]
        at = str(line.get("occurred_at") or line["observed_at"])[:19].replace("T", " ")
        yield item.record, item.code, *(one_line(str(cell)) for cell in (line["kind"], line["source"], at))


def in_percent(rate: str) -> str:
    """A rate as percent, without zeros at its end."""
    return f"{Decimal(rate) * 100:.4f}".rstrip("0").rstrip(".")

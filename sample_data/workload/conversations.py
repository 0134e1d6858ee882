"""Conversations to play: real agent trajectories where ../shared has them, else those of sample_data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "sample_data" / "logs"

_TICKS_A_SECOND = 10_000_000
_FALLBACK_GAPS = (20_000, 60_000, 90_000, 150_000, 240_000, 450_000)


class Call(NamedTuple):
    """A tool call that an assistant's message asks for."""

    id: str
    name: str
    arguments: Any


class Message(NamedTuple):
    """One message of a conversation; ``call_id`` and ``name`` say which call a tool's message answers."""

    role: str
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str = ""
    name: str = ""


class Arrival(NamedTuple):
    """Microseconds since the arrival before, and the tokens of the request and of its answer."""

    gap: int
    input_tokens: int
    output_tokens: int


class Corpus(NamedTuple):
    """What workloads are built from, and where it came from."""

    conversations: list[list[Message]]
    arrivals: list[Arrival]
    origin: str


def load(shared: Path = SHARED) -> Corpus:
    """The tau2 trajectories and the arrivals of the Azure trace; without them the sample's, and invented gaps."""
    trajectories = sorted((shared / "tau2").glob("*.json"))
    if not trajectories:
        lengths = [len(message.text) // 4 + 20 for talk in _sample() for message in talk]
        arrivals = [Arrival(gap, 8 * length, length) for gap in _FALLBACK_GAPS for length in lengths]
        return Corpus(list(_sample()), arrivals, "sample_data, because ../shared/data is not there")
    conversations = [talk for path in trajectories for talk in _tau2(path)]
    return Corpus(conversations, _azure(shared / "azure-llm-trace" / "AzureLLMInferenceTrace_conv.csv"), "shared data")


def _tau2(path: Path) -> Iterator[list[Message]]:
    document = orjson.loads(path.read_bytes())
    for simulation in document.get("simulations", ()):
        names = {
            call["id"]: call["name"] for message in simulation["messages"] for call in message.get("tool_calls") or ()
        }
        yield [_tau2_message(message, names) for message in simulation["messages"]]


def _tau2_message(message: dict[str, Any], names: dict[str, str]) -> Message:
    calls = tuple(Call(call["id"], call["name"], call["arguments"]) for call in message.get("tool_calls") or ())
    answers = message.get("id", "") if message["role"] == "tool" else ""
    return Message(message["role"], message.get("content") or "", calls, answers, names.get(answers, ""))


def _sample() -> Iterator[list[Message]]:
    sessions: dict[str, list[Message]] = {}
    for path in sorted((SAMPLE / "mira").glob("*-W*.jsonl")):
        for line in map(orjson.loads, path.read_bytes().splitlines()):
            if line["kind"] == "inference" and line["status"] == "ok":
                talk = sessions.setdefault(line["session"], [])
                talk += [_genai_message(message) for message in (*line["input"], *line["output"])]
    yield from sessions.values()


def _genai_message(message: dict[str, Any]) -> Message:
    part = message["parts"][0]
    if part["type"] == "tool_call":
        return Message("assistant", "", (Call(part["id"], part["name"], part["arguments"]),))
    if part["type"] == "tool_call_response":
        return Message("tool", orjson.dumps(part["response"]).decode(), (), part["id"], "bank_tool")
    return Message(message["role"], part["content"])


def _azure(path: Path) -> list[Arrival]:
    rows = [line.split(",") for line in path.read_text(encoding="ascii").splitlines()[1:]]
    ticks = [_ticks(row[0]) for row in rows]
    gaps = [max(0, after - before) // 10 for before, after in pairwise(ticks)]
    return [Arrival(gap, int(row[1]), int(row[2])) for gap, row in zip(gaps, rows[1:], strict=True)]


def _ticks(text: str) -> int:
    """The time of day of ``2023-11-16 18:15:46.6805900`` in units of 100 ns: the trace stays within one day."""
    hours, minutes, seconds = text[11:].split(":")
    whole, _, fraction = seconds.partition(".")
    return (int(hours) * 3600 + int(minutes) * 60 + int(whole)) * _TICKS_A_SECOND + int(fraction.ljust(7, "0")[:7])

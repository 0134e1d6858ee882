"""The dialogues as they are written in dialogues/*.txt: scenes, and the steps within a scene."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

DIALOGUES = Path(__file__).with_name("dialogues")

_STEP = re.compile(r"(c|m|t!|t|p|a|x|e): ?(.*)")
_ESCAPES = {"\\e": "\x1b", "\\a": "\x07"}


class Step(NamedTuple):
    """One line of a scene: ``mark`` is c, m, t, t!, p, a, x, e or ~ (see the head of dialogues/week40.txt)."""

    mark: str
    text: str


class ToolUse(NamedTuple):
    """A tool call with what came back: a JSON result, or the type of the error."""

    name: str
    arguments: Any
    result: Any
    error_type: str


class Scene(NamedTuple):
    """One session: when it begins (``2026-10-01 09:12``, UTC), with whom, and what happens."""

    key: str
    start: str
    person: str
    flags: Mapping[str, str]
    steps: tuple[Step, ...]


def scenes() -> list[Scene]:
    """All scenes of all files, in the order of their beginning."""
    found = [
        _scene(block)
        for path in sorted(DIALOGUES.glob("*.txt"))
        for block in re.split(r"(?m)^== ", path.read_text(encoding="utf-8"))[1:]
    ]
    return sorted(found, key=lambda scene: (scene.start, scene.key))


def session_id(key: str) -> str:
    """The opaque session id that the systems of the bank gave to a scene."""
    return f"mira-{opaque_id(key, 'session', size=8)}"


def opaque_id(*parts: object, size: int = 16) -> str:
    """A made-up hexadecimal id that is always the same for the same parts."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:size]


def fill(text: str, values: Mapping[str, str]) -> str:
    r"""A line with the person's values in place, and ``\e``, ``\a``, ``\u202e`` as the characters they name."""
    text = Template(text).safe_substitute(values)
    for written, character in _ESCAPES.items():
        text = text.replace(written, character)
    return re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match.group(1), 16)), text)


def tool_use(step: Step, values: Mapping[str, str]) -> ToolUse:
    """Read ``name {arguments} => {result}``, or ``name {arguments} => error_type`` of a failed call."""
    call, _, outcome = Template(step.text).safe_substitute(values).partition(" => ")
    name, _, arguments = call.partition(" ")
    if step.mark == "t!":
        return ToolUse(name, json.loads(arguments), {"error": outcome}, outcome)
    return ToolUse(name, json.loads(arguments), json.loads(outcome), "")


def _scene(block: str) -> Scene:
    head, *lines = block.splitlines()
    key, start, person, flags = (part.strip() for part in head.split("|"))
    steps: list[Step] = []
    for line in lines:
        if line.startswith("  "):
            steps[-1] = Step(steps[-1].mark, f"{steps[-1].text}\n{line[2:]}")
        elif line.startswith("~"):
            steps.append(Step("~", line[1:].strip()))
        elif match := _STEP.fullmatch(line):
            steps.append(Step(match.group(1), match.group(2)))
    named = (flag.partition("=") for flag in flags.split())
    return Scene(key, start, person, {name: value for name, _, value in named}, tuple(steps))

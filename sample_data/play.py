"""Plays a scene against the clock: model calls, tool calls, verdicts, approvals and ratings, each with its time.

Times are integers, microseconds since 1970 (UTC). Everything random comes from a generator that is seeded
with the scene's key, and only from ``Random.random``, whose sequence Python keeps the same in all versions.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sample_data.people import PEOPLE
from sample_data.script import Scene, Step, ToolUse, fill, opaque_id, tool_use

Message = dict[str, Any]

SECOND = 1_000_000
_SYSTEM_PROMPT_TOKENS = 410
_MASKS = {"card_number": ("card", "[card number]"), "email": ("email", "[e-mail]")}


class Act(NamedTuple):
    """One thing that happened in a session.

    ``kind`` is inference, tool, policy, approval or evaluation; ``call`` is the id of the model call that an
    act belongs to, ``trace`` the customer's turn. ``given`` are the new messages of a model call, ``history``
    all messages before them, ``made`` its answer; ``facts`` what the other kinds have to say.
    """

    kind: str
    id: str
    call: str
    trace: str
    start: int
    end: int
    error_type: str = ""
    decision: str = ""
    history: tuple[Message, ...] = ()
    given: tuple[Message, ...] = ()
    made: tuple[Message, ...] = ()
    finish_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    tool: ToolUse | None = None
    tool_call: str = ""
    approver: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def microseconds(text: str) -> int:
    """``2026-10-01 09:12`` or with seconds and a fraction, UTC, as microseconds since 1970."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND + moment.microsecond


def play(scene: Scene) -> list[Act]:
    """All acts of a scene in the order of their beginning."""
    player = _Player(scene)
    for position, step in enumerate(scene.steps):
        player.take(step, scene.steps[position + 1 :])
    return player.acts


class _Player:
    """The state of one session while it is played."""

    def __init__(self, scene: Scene) -> None:
        self.acts: list[Act] = []
        self.key = scene.key
        self.person = PEOPLE[scene.person]
        self.values = self.person.placeholders()
        self.random = random.Random(f"harbour-and-vale/{scene.key}").random
        self.now = microseconds(scene.start) + int(self.random() * 58 * SECOND)
        self.history: list[Message] = []
        self.waiting: list[Message] = []
        self.asked = ""
        self.verdict = ""
        self.calls = self.turns = self.counted = 0

    def take(self, step: Step, following: Sequence[Step]) -> None:
        """Play one step; ``following`` is what comes after it in the scene."""
        if step.mark == "c":
            self._customer(fill(step.text, self.values))
        elif step.mark == "m":
            text = fill(step.text, self.values)
            self._call(_message("assistant", {"type": "text", "content": text}), text)
        elif step.mark in ("t", "t!"):
            self._tool(step)
        elif step.mark == "p":
            self._guard(*step.text.split())
        elif step.mark == "a":
            self._approval(step.text, following)
        elif step.mark == "x":
            self._failed_call(step.text)
        elif step.mark == "e":
            self._rating(step.text)
        else:
            self._pass(float(step.text.removesuffix("m")) * 60, float(step.text.removesuffix("m")) * 66)

    def _pass(self, least: float, most: float) -> int:
        self.now += int((least + (most - least) * self.random()) * SECOND)
        return self.now

    def _id(self, what: str) -> str:
        self.counted += 1
        return f"{what}-{opaque_id(self.key, what, self.counted)}"

    def _next_call(self) -> str:
        return f"call-{opaque_id(self.key, 'call', self.calls + 1)}"

    def _customer(self, text: str) -> None:
        if self.turns:
            self._pass(6 + 0.10 * len(text), 30 + 0.22 * len(text))
        self.turns += 1
        self.trace = opaque_id(self.key, "turn", self.turns, size=32)
        self.waiting.append(_message("user", {"type": "text", "content": text}))

    def _call(self, made: Message | None, text: str, error_type: str = "", finish_reason: str = "stop") -> str:
        call, start = self._next_call(), self.now
        self.calls += 1
        blocked = self.verdict == "blocked"
        if error_type == "timeout":
            end = self._pass(30, 30.02)
        elif error_type or blocked:
            end = self._pass(0.02, 0.09)
        else:
            end = self._pass(0.35 + 0.0028 * len(text), 0.80 + 0.0045 * len(text))
        history, given = tuple(self.history), tuple(self.waiting)
        made_here = () if made is None else (made,)
        read = sum(_length(message) for message in (*history, *given))
        self.acts.append(
            Act(
                *("inference", call, call, self.trace, start, end, error_type),
                decision="blocked" if blocked else "",
                history=history,
                given=given,
                made=made_here,
                finish_reason="" if error_type else "content_filter" if blocked else finish_reason,
                input_tokens=0 if blocked else _SYSTEM_PROMPT_TOKENS + read // 4,
                output_tokens=0 if blocked or error_type else max(1, len(text) // 4),
            )
        )
        if made is not None:
            self.history += [*given, made]
            self.waiting.clear()
            self.verdict = ""
        return call

    def _failed_call(self, error_type: str) -> None:
        self._call(None, "", error_type)
        self._pass(4, 19)

    def _ask_for_tool(self, use: ToolUse) -> None:
        self.tool_call = self._id("tc")
        part = {"type": "tool_call", "id": self.tool_call, "name": use.name, "arguments": use.arguments}
        self.asked = self._call(_message("assistant", part), str(use.arguments), finish_reason="tool_call")
        self._pass(0.004, 0.03)

    def _tool(self, step: Step) -> None:
        use = tool_use(step, self.values)
        if not self.asked:
            self._ask_for_tool(use)
        start = self.now
        end = self._pass(10, 10.05) if use.error_type == "timeout" else self._pass(0.05, 0.9)
        self.acts.append(
            Act(
                *("tool", f"run-{self.tool_call}", self.asked, self.trace, start, end, use.error_type),
                tool=use,
                tool_call=self.tool_call,
            )
        )
        self.waiting.append(
            _message("tool", {"type": "tool_call_response", "id": self.tool_call, "response": use.result})
        )
        self.asked = ""
        self._pass(0.01, 0.06)

    def _guard(self, decision: str, direction: str, rule: str, count: str) -> None:
        start = self.now
        end = self._pass(0.004, 0.02)
        if decision == "masked":
            self._mask(rule)
        self.verdict = decision
        facts = (("rule", rule), ("direction", direction), ("matches", count))
        verdict = self._id("guard")
        self.acts.append(
            Act("policy", verdict, self._next_call(), self.trace, start, end, decision=decision, facts=facts)
        )

    def _mask(self, rule: str) -> None:
        attribute, mask = _MASKS[rule]
        part = self.waiting[-1]["parts"][0]
        part["content"] = part["content"].replace(self.values[attribute], mask)

    def _approval(self, text: str, following: Sequence[Step]) -> None:
        head, _, words = text.partition(" | ")
        decision, _, approver = head.partition(" ")
        if decision == "requested":
            self._ask_for_tool(tool_use(next(step for step in following if step.mark == "t"), self.values))
        facts = (("subject", words) if decision == "requested" else ("comment", words),)
        at = self.now
        self.acts.append(
            Act(
                *("approval", self._id("refund-release"), self.asked, self.trace, at, at),
                decision=decision,
                tool_call=self.tool_call,
                approver=approver,
                facts=facts,
            )
        )
        self._pass(0.2, 0.6)

    def _rating(self, text: str) -> None:
        head, _, words = text.partition(" | ")
        name, _, score = head.partition(" ")
        at = self._pass(8, 70)
        facts = (("name", name), ("score", score), ("scale", "1 to 5"), ("comment", words))
        self.acts.append(Act("evaluation", self._id("rating"), self.acts[-1].call, self.trace, at, at, facts=facts))


def _message(role: str, part: dict[str, Any]) -> Message:
    return {"role": role, "parts": [part]}


def _length(message: Message) -> int:
    return sum(len(str(value)) for part in message["parts"] for value in part.values())

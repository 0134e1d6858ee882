"""The files that controls are made of: frameworks, and the tests that they use. See docs/CONTROLS.md."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_BYTES: Final = 256 * 1024
"""Of one file."""

Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
Sql = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\S")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*\Z", max_length=48)]
Parameter = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
Value = Annotated[int, Field(ge=0, le=1_000_000)] | Annotated[str, Field(max_length=200)]
"""What a test can be set to: whole numbers, and text."""

RESERVED: Final = frozenset({"now", "since", "until"})
"""Parameters that every test is given: the time of the checkpoint's last commit, and the period asked for."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, regex_engine="python-re")


class Need(_Strict):
    """What must be there for a test to say anything. ``query``: one row, one value; 0, false and NULL say it is not."""

    what: Words
    query: Sql


class ControlTest(_Strict):
    """A question to the store, in SQL over the views as of a checkpoint.

    ``population`` and ``exceptions`` give rows whose first column is ``record_id`` or ``entry``, and which have a
    column ``time`` (or NULL). ``exceptions`` reads ``population``; where there is none, a population is enough.
    ``items``: what a row of the population is; ``when_none``: what it says where there is none.
    ``given`` is a table of one row: ``now``, ``since``, ``until`` and the parameters.
    """

    format: Literal["evidence/control-test/1"]
    name: Name
    question: Words
    population: Sql
    exceptions: Sql | None = None
    items: Words
    when_none: Literal["not evidenced here", "not applicable"] = "not evidenced here"
    needs: tuple[Need, ...] = Field(default=(), max_length=10, strict=False)
    facts: Sql | None = None
    parameters: dict[Parameter, Value] = Field(default_factory=dict, max_length=10)
    limits: tuple[Words, ...] = Field(default=(), max_length=10, strict=False)

    @model_validator(mode="after")
    def _no_reserved(self) -> Self:
        if taken := RESERVED & self.parameters.keys():
            raise ValueError(f"parameters: {min(taken)} is given to every test and cannot be set")
        return self


class TestUse(_Strict):
    """A test as a control uses it: ``with`` sets parameters to other values."""

    __test__ = False

    test: Name
    with_: dict[Parameter, Value] = Field(default_factory=dict, alias="with", max_length=10)


class NotApplicable(_Strict):
    """When a control does not apply, as far as this store can tell. ``when``: one row, one value, true or false."""

    when: Sql
    why: Words


class Wording(_Strict):
    """What a verdict means for this control, in a sentence; where there is none, the general one is used."""

    evidenced: Words | None = None
    exceptions: Words | None = None
    not_evidenced: Words | None = None


class ControlSpec(_Strict):
    """A control: what it asks, in own words, and the tests that speak to it; none where this store sees nothing of it.

    ``missing``: what would have to be there besides; a control that has it is never evidenced by its tests alone.
    ``applies_from``: since or from when.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ().,/:-]{0,39}\Z")]
    title: Words
    asks: Words
    tests: tuple[TestUse, ...] = Field(default=(), max_length=20, strict=False)
    applies_from: date | None = None
    applies_note: Words | None = None
    wording: Wording = Wording()
    missing: Words | None = None
    limits: tuple[Words, ...] = Field(default=(), max_length=10, strict=False)
    not_applicable: NotApplicable | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_uses(cls, given: Any) -> Any:
        """A test that is used as it is may be written as its name alone."""
        if isinstance(given, dict) and isinstance(given.get("tests"), list):
            uses = [{"test": use} if isinstance(use, str) else use for use in given["tests"]]
            return {**given, "tests": uses}
        return given

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.tests and self.missing is None:
            raise ValueError("a control without tests says in `missing` what would have to be there")
        uses = [(use.test, tuple(sorted(use.with_.items()))) for use in self.tests]
        if len({test for test, _ in uses}) < len(uses):
            raise ValueError("tests: a control uses each test once")
        return self


class Framework(_Strict):
    """A framework: its controls, and where their wording comes from."""

    format: Literal["evidence/framework/1"]
    name: Name
    title: Words
    version: Words
    source: Words
    controls: tuple[ControlSpec, ...] = Field(min_length=1, max_length=200, strict=False)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [control.id for control in self.controls]
        if twice := next((item for item in ids if ids.count(item) > 1), None):
            raise ValueError(f"controls: {twice!a} is there twice")
        return self

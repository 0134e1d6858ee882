"""The retention policy: a TOML file of rules, validated as a whole. One rule decides each record: the most specific.

The file's bytes are the policy: when it is applied they stand in the ledger, named by their SHA-256. So it must not
name anybody. See docs/RETENTION.md.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ledger.errors import ConfigError
from ledger.records import KINDS
from ledger.settings import Settings
from reports.retention.durations import Duration
from reports.retention.patterns import fits, letters, overlap

FORMAT: Final = "evidence/retention-policy/1"
MAX_BYTES: Final = 64 * 1024
EXAMPLES: Final = Path(__file__).parent / "examples"

_FIELDS: Final = ("classes", "sources", "kinds")
"""In the order in which they decide which of two rules is the more specific."""


def _duration(value: object) -> Duration:
    if not isinstance(value, str):
        raise ValueError("a duration is text, such as P6M")
    return Duration.parse(value)


Length = Annotated[Duration, BeforeValidator(_duration)]
Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9*][A-Za-z0-9*._:/+=~#-]{0,127}\Z")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", regex_engine="python-re")


class Content(_Strict):
    """How long content is kept: ``minimum`` against erasure requests and expiry, ``maximum`` until it expires."""

    minimum: Length | None = None
    maximum: Length | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum is not None and self.maximum is not None and not _fits(self.minimum, self.maximum):
            raise ValueError("minimum is longer than maximum")
        return self


class Metadata(_Strict):
    """How long record lines are kept. They are never deleted by this version, so any minimum is kept."""

    minimum: Length | None = None
    maximum: None = None

    @model_validator(mode="before")
    @classmethod
    def _no_maximum(cls, given: Any) -> Any:
        if isinstance(given, dict) and "maximum" in given:
            raise ValueError(
                "maximum is not supported: record lines hold no personal data in the clear and stay for the life of "
                "the store; only content expires"
            )
        return given


class Rule(_Strict):
    """One rule: which records, how long, on what basis, and whether a person's request may erase their content.

    ``classes``, ``sources``, ``kinds``: patterns, of which one must fit; ``*`` stands for any letters.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}\Z")
    basis: str = Field(pattern=r"^[a-z][a-z0-9_.:-]{0,63}\Z")
    words: str = Field(min_length=1, max_length=2000)
    classes: tuple[Pattern, ...] = Field(default=("*",), min_length=1, max_length=50)
    sources: tuple[Pattern, ...] = Field(default=("*",), min_length=1, max_length=50)
    kinds: tuple[Pattern, ...] = Field(default=("*",), min_length=1, max_length=50)
    erasable: bool = True
    content: Content = Content()
    metadata: Metadata = Metadata()

    @model_validator(mode="after")
    def _known_kinds(self) -> Self:
        for pattern in self.kinds:
            if not any(fits(pattern, kind) for kind in KINDS):
                raise ValueError(f"kinds: {pattern!a} fits no kind of record; there are {', '.join(sorted(KINDS))}")
        return self

    def specificity(self, retention_class: str, source: str, kind: str) -> tuple[int, int, int] | str:
        """How specific the rule is for such a record, or the name of the field by which it does not fit."""
        found = []
        for field, value in zip(_FIELDS, (retention_class, source, kind), strict=True):
            fitting = [letters(pattern) for pattern in getattr(self, field) if fits(pattern, value)]
            if not fitting:
                return field
            found.append(max(fitting))
        return found[0], found[1], found[2]


class _File(_Strict):
    format: Literal["evidence/retention-policy/1"]
    rule: tuple[Rule, ...] = Field(default=(), max_length=200)


class Looked(NamedTuple):
    """A rule that was looked at for a record: ``wins``, ``less-specific``, or ``other-`` class, source or kind."""

    rule: Rule
    why: str

    @property
    def code(self) -> str:
        """As a code, for a decision."""
        return f"policy:{self.rule.name}:{self.why}"


@dataclass(frozen=True, eq=False)
class Policy:
    """A validated policy: the bytes of its file, and its rules in the order of the file."""

    data: bytes
    rules: tuple[Rule, ...]

    @property
    def sha256(self) -> str:
        """Of the file's bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()

    def look(self, retention_class: str, source: str, kind: str) -> list[Looked]:
        """Every rule, and what became of it for such a record: at most one wins. In the order of their names."""
        return list(_look(self, retention_class, source, kind))

    def winner(self, retention_class: str, source: str, kind: str) -> Rule | None:
        """The rule that decides such a record; None where no rule fits."""
        looked = _look(self, retention_class, source, kind)
        return next((item.rule for item in looked if item.why == "wins"), None)

    @property
    def expires(self) -> bool:
        """Whether any content ever expires by it."""
        return any(rule.content.maximum is not None for rule in self.rules)


DEFAULT: Final = Policy(b"", ())
"""Where no policy is configured: nothing must be kept, and nothing expires."""


def load(path: Path) -> Policy:
    """The policy in a file. Raises ConfigError naming the file and, for each fault, rule and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the retention policy {path}: {error.strerror}") from None
    return parse(data, str(path))


def parse(data: bytes, name: str) -> Policy:
    """The policy in the bytes of a file of this name. Raises ConfigError as ``load`` does."""
    if not 0 < len(data) <= MAX_BYTES:
        raise ConfigError(f"{name}: a retention policy has 1 to {MAX_BYTES} bytes, this one {len(data)}", hint=_HINT)
    try:
        values = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name} cannot be read as TOML: {error}", hint=_HINT) from None
    try:
        rules = _File(**values).rule
    except ValidationError as error:
        faults = "; ".join(_fault(item["loc"], item["msg"], values) for item in error.errors())
        raise ConfigError(f"{name}: {faults}", hint=_HINT) from None
    problem = _conflict(rules)
    if problem:
        raise ConfigError(f"{name}: {problem}", hint=_HINT)
    return Policy(data, rules)


def configured(settings: Settings) -> Policy:
    """The policy that the settings name; DEFAULT where they name none. Raises ConfigError."""
    return DEFAULT if settings.retention_policy is None else load(settings.retention_policy)


def examples() -> dict[str, bytes]:
    """The policies that are shipped to be copied and changed, by name."""
    return {path.stem: path.read_bytes() for path in sorted(EXAMPLES.glob("*.toml"))}


_HINT: Final = "See docs/RETENTION.md; `evidence retention example` gives files to begin with."


def warnings(policy: Policy) -> list[str]:
    """Where a rule takes records from another one that protects them longer: allowed, and easily overlooked."""
    found = []
    for rule in policy.rules:
        for general in policy.rules:
            if rule is general or not _may_win_over(rule, general):
                continue
            least = general.content.minimum
            own = rule.content.minimum
            if least is not None and (own is None or not _fits(least, own)):
                found.append(f"where rule {rule.name!a} wins, the minimum {least} of {general.name!a} does not hold")
            if rule.erasable and not general.erasable:
                found.append(f"where rule {rule.name!a} wins, what {general.name!a} protects from erasure is erasable")
    return found


def _may_win_over(rule: Rule, general: Rule) -> bool:
    """Whether a rule is the more specific one for some records that fit both."""
    pairs = [
        [(letters(a), letters(b)) for a in getattr(rule, field) for b in getattr(general, field) if overlap(a, b)]
        for field in _FIELDS
    ]
    return any([a for a, _ in chosen] > [b for _, b in chosen] for chosen in product(*pairs))


@lru_cache(maxsize=4096)
def _look(policy: Policy, retention_class: str, source: str, kind: str) -> tuple[Looked, ...]:
    found = [(rule, rule.specificity(retention_class, source, kind)) for rule in policy.rules]
    best = max((value for _, value in found if not isinstance(value, str)), default=None)
    names = {"classes": "other-class", "sources": "other-source", "kinds": "other-kind"}

    def why(value: tuple[int, int, int] | str) -> str:
        if isinstance(value, str):
            return names[value]
        return "wins" if value == best else "less-specific"

    return tuple(Looked(rule, why(value)) for rule, value in sorted(found, key=lambda item: item[0].name))


def _conflict(rules: tuple[Rule, ...]) -> str | None:
    """Two rules of one name, or two of which neither is more specific for some record, in words."""
    for one, other in combinations(rules, 2):
        if one.name == other.name:
            return f"two rules have the name {one.name!a}"
        tied = [_tie(getattr(one, field), getattr(other, field)) for field in _FIELDS]
        if all(tied):
            shown = ", ".join(
                f"{field} {pair[0]!a} and {pair[1]!a}" for field, pair in zip(_FIELDS, tied, strict=True) if pair
            )
            return (
                f"rules {one.name!a} and {other.name!a} fit the same records and neither is more specific ({shown}): "
                "make one of them narrower"
            )
    return None


def _tie(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, str] | None:
    """Two patterns that fit some text in common and are equally specific."""
    pairs = product(one, other)
    return next(((a, b) for a, b in pairs if letters(a) == letters(b) and overlap(a, b)), None)


def _fits(minimum: Duration, maximum: Duration) -> bool:
    """Whether a minimum ends no later than a maximum, whenever they begin."""
    first = date(2023, 1, 1)
    days = (first + timedelta(days=number) for number in range(4 * 366))
    return all(minimum.last_day(day) <= maximum.last_day(day) for day in days)


def _fault(where: tuple[int | str, ...], message: str, values: dict[str, Any]) -> str:
    """A fault in words: rule, field, what is wrong."""
    place = [str(item) for item in where]
    rule = ""
    if len(where) > 1 and where[0] == "rule" and isinstance(where[1], int):
        given = values["rule"][where[1]]
        name = given.get("name") if isinstance(given, dict) else None
        rule = f"rule {name!a}, " if isinstance(name, str) else f"rule {where[1] + 1}, "
        place = place[2:]
    return f"{rule}{'.'.join(place) or 'as a whole'}: {message.removeprefix('Value error, ')}"

"""The frameworks and tests that there are: those that are shipped, and those of a folder of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ledger.errors import ConfigError, UsageError
from reports.controls.schema import MAX_BYTES, ControlSpec, ControlTest, Framework, Value

_HINT: Final = "See docs/CONTROLS.md."
_File = TypeVar("_File", bound=BaseModel)


@dataclass(frozen=True)
class Library:
    """Frameworks and tests by name; every test that a framework uses is there."""

    frameworks: Mapping[str, Framework]
    tests: Mapping[str, ControlTest]

    def framework(self, name: str) -> Framework:
        """A framework by its name. Raises UsageError."""
        try:
            return self.frameworks[name]
        except KeyError:
            raise UsageError(f"no framework {name!a}", hint=f"There are: {', '.join(self.frameworks)}.") from None


def load(folder: Path | None = None) -> Library:
    """What is shipped, and what ``folder`` adds: ``*.yaml`` and ``tests/*.yaml``.

    Raises ConfigError naming file, place and reason. A name that is shipped cannot be taken by another file.
    """
    shipped = resources.files("reports").joinpath("frameworks")
    frameworks: dict[str, Framework] = {}
    tests: dict[str, ControlTest] = {}
    for place in (shipped, folder):
        if place is None:
            continue
        _add(tests, _read_all(place / "tests", ControlTest, required=False))
        _add(frameworks, _read_all(place, Framework, required=True))
    for framework in frameworks.values():
        _check_uses(framework, tests)
    return Library(dict(sorted(frameworks.items())), dict(sorted(tests.items())))


def chosen(framework: Framework, ids: Sequence[str]) -> list[ControlSpec]:
    """The controls of a framework: all, or those of these ids. Raises UsageError where there is none of an id."""
    found = [control for control in framework.controls if not ids or control.id in ids]
    if not found:
        listed = ", ".join(control.id for control in framework.controls)
        raise UsageError(f"{framework.name} has no control {ids[0]!a}", hint=f"It has: {listed}.")
    return found


def _read_all(place: Traversable, shape: type[_File], *, required: bool) -> Iterator[tuple[str, _File]]:
    """Each file of a folder, by its path. Raises ConfigError where there is no folder and one is required."""
    if not place.is_dir():
        if required:
            raise ConfigError(f"there is no folder of frameworks {place}", hint=_HINT)
        return
    for file in sorted(place.iterdir(), key=lambda item: item.name):
        if file.name.endswith((".yaml", ".yml")):
            yield str(file), _read(file, shape)


def _add(found: dict[str, _File], added: Iterable[tuple[str, _File]]) -> None:
    for path, item in added:
        name: str = item.name  # type: ignore[attr-defined]  # both shapes have one
        if name in found:
            raise ConfigError(f"{path}: name: {name!a} is taken by another file", hint=_HINT)
        found[name] = item


def _read(file: Traversable, shape: type[_File]) -> _File:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    return parse(data, str(file), shape)


def parse(data: bytes, name: str, shape: type[_File]) -> _File:
    """A framework or test from the bytes of a file of this name. Raises ConfigError."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{name}: a file has at most {MAX_BYTES} bytes, this one {len(data)}", hint=_HINT)
    try:
        values = yaml.load(data.decode(), Loader=_Loader)  # noqa: S506 - a SafeLoader that refuses more
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be read as YAML: {_first(error)}", hint=_HINT) from None
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_fault(item["loc"], item["msg"], values) for item in error.errors())
        raise ConfigError(f"{name}: {faults}", hint=_HINT) from None


class _Loader(yaml.SafeLoader):
    """YAML as data: no tags that make objects, no aliases, which can make a small file a huge one; no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value!a} is there twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _check_uses(framework: Framework, tests: Mapping[str, ControlTest]) -> None:
    for control in framework.controls:
        for use in control.tests:
            where = f"framework {framework.name}, control {control.id}, tests"
            if use.test not in tests:
                raise ConfigError(f"{where}: no test {use.test!a}", hint=_HINT)
            for name, value in use.with_.items():
                known: Value | None = tests[use.test].parameters.get(name)
                if type(value) is not type(known):
                    raise ConfigError(
                        f"{where}: {use.test} has no parameter {name!a} that is {_kind(value)}", hint=_HINT
                    )


def _kind(value: Value) -> str:
    return "a number" if isinstance(value, int) else "text"


def _fault(where: tuple[int | str, ...], message: str, values: Any) -> str:
    """A fault in words: which control, which field, what is wrong."""
    place = [str(item) for item in where]
    if len(where) > 1 and where[0] == "controls" and isinstance(where[1], int):
        given = values["controls"][where[1]]
        known = given.get("id") if isinstance(given, dict) else None
        place[:2] = [f"control {known}" if isinstance(known, str) else f"control {where[1] + 1}"]
    return f"{'.'.join(place) or 'as a whole'}: {message.removeprefix('Value error, ')}"


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

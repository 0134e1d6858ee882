"""Framework and test files: what is shipped is sound, what is wrong is refused with file, place and reason."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ConfigError, UsageError
from reports.controls import library, names
from reports.controls.schema import ControlTest, Framework

TEST: Final = {
    "format": "evidence/control-test/1",
    "name": "own-test",
    "question": "Is there anything?",
    "items": "records",
    "population": "SELECT record_id, occurred_at AS time FROM records",
    "parameters": {"days": 7},
}
CONTROL: Final = {"id": "1.1", "title": "One", "asks": "Something.", "tests": ["own-test", "changes-approved"]}
FRAMEWORK: Final = {
    "format": "evidence/framework/1",
    "name": "own",
    "title": "Our own rules",
    "version": "1",
    "source": "Our own words.",
    "controls": [CONTROL],
}


def write(folder: Path, framework: Any = None, test: Any = None) -> Path:
    """A folder with one framework and one test, as data or as the text of a file."""
    for path, value, known in ((folder / "own.yaml", framework, FRAMEWORK), (folder / "tests" / "t.yaml", test, TEST)):
        path.parent.mkdir(parents=True, exist_ok=True)
        value = known if value is None else value
        path.write_text(value if isinstance(value, str) else yaml.safe_dump(json.loads(json.dumps(value))))
    return folder


@pytest.mark.wheel
def test_the_frameworks_that_are_shipped() -> None:
    assert names() == ["eu-ai-act", "gdpr", "hipaa", "iso-42001", "nist-ai-rmf", "sec-17a-4", "soc2"]
    known = library.load()
    used = {use.test for item in known.frameworks.values() for control in item.controls for use in control.tests}
    assert used == known.tests.keys()


def test_what_was_not_checked_says_so() -> None:
    for framework in library.load().frameworks.values():
        assert "not checked against the primary text" in framework.source


def test_ones_own_frameworks_stand_beside_those_that_are_shipped(tmp_path: Path) -> None:
    known = library.load(write(tmp_path))
    assert known.framework("own").controls[0].tests[1].test == "changes-approved"
    assert {"own", "gdpr"} < known.frameworks.keys()
    assert known.tests["own-test"].parameters == {"days": 7}


def test_a_framework_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no framework 'iso-9001'"):
        library.load().framework("iso-9001")
    with pytest.raises(ConfigError, match="no folder of frameworks"):
        library.load(tmp_path / "nowhere")


def control(**fields: Any) -> dict[str, Any]:
    return {**FRAMEWORK, "controls": [{**CONTROL, **fields}]}


@pytest.mark.parametrize(
    ("framework", "said"),
    [
        ({**FRAMEWORK, "colour": "red"}, "own.yaml: colour: Extra inputs are not permitted"),
        ({**FRAMEWORK, "name": "Own Rules"}, "own.yaml: name: String should match pattern"),
        ({**FRAMEWORK, "name": "gdpr"}, "own.yaml: name: 'gdpr' is taken by another file"),
        ({**FRAMEWORK, "format": "evidence/framework/2"}, "own.yaml: format: Input should be"),
        ({**FRAMEWORK, "controls": []}, "own.yaml: controls: Tuple should have at least 1 item"),
        ({**FRAMEWORK, "controls": [CONTROL, CONTROL]}, "own.yaml: as a whole: controls: '1.1' is there twice"),
        (control(asks=3), "own.yaml: control 1.1.asks: Input should be a valid string"),
        (control(applies_from="soon"), "own.yaml: control 1.1.applies_from: Input should be a valid date"),
        (control(tests=[]), "own.yaml: control 1.1: a control without tests says in `missing`"),
        (control(tests=["own-test", "own-test"]), "own.yaml: control 1.1: tests: a control uses each test once"),
        (control(tests=["no-test"]), "framework own, control 1.1, tests: no test 'no-test'"),
        (control(tests=[{"test": "own-test", "with": {"hours": 1}}]), "own-test has no parameter 'hours'"),
        (control(tests=[{"test": "own-test", "with": {"days": "x"}}]), "own-test has no parameter 'days' that is text"),
        (control(not_applicable={"why": "x"}), "own.yaml: control 1.1.not_applicable.when: Field required"),
        ([1, 2], "own.yaml: as a whole: Input should be a valid dictionary"),
        ("name: [", "own.yaml cannot be read as YAML"),
        ("name: own\nname: other\n", "line 2: 'name' is there twice"),
        ("name: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: &a [x, x]\nb: [*a, *a]\n", "aliases are not taken"),
        ("? [a, b]\n: c\n", "own.yaml cannot be read as YAML"),
        ("\x00", "own.yaml cannot be read as YAML"),
        ("# " + "x" * 300_000, "own.yaml: a file has at most 262144 bytes"),
    ],
)
def test_a_wrong_framework_is_refused_with_its_place(tmp_path: Path, framework: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        library.load(write(tmp_path, framework))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "changes-approved"}, "t.yaml: name: 'changes-approved' is taken by another file"),
        ({"parameters": {"now": 1}}, "t.yaml: as a whole: parameters: now is given to every test"),
        ({"parameters": {"days": 1.5}}, "t.yaml: parameters.days"),
        ({"population": ""}, "t.yaml: population: String should have at least 1 character"),
        ({"when_none": "evidenced"}, "t.yaml: when_none: Input should be"),
        ({"needs": [{"what": "x"}]}, "t.yaml: needs.0.query: Field required"),
    ],
)
def test_a_wrong_test_is_refused_with_its_place(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        library.load(write(tmp_path, test={**TEST, **changed}))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_anything_but_a_file_or_an_error_with_its_name(data: bytes) -> None:
    for shape in (Framework, ControlTest):
        with pytest.raises(ConfigError, match="x.yaml"):
            library.parse(data, "x.yaml", shape)

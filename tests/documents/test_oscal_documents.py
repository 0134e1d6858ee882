"""A report of controls as OSCAL: what an independent implementation reads, in the words of that format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.errors import UsageError
from reports.document import Report, Section, Text
from reports.documents import oscal
from tests.documents import sample_reports


def read(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(oscal.assessment_results(report))["assessment-results"]
    return document


@pytest.mark.parametrize("name", ["sample", "hostile"])
def test_compliance_trestle_reads_it_and_finds_it_valid(name: str, request: pytest.FixtureRequest) -> None:
    from trestle.core.validator_factory import validator_factory
    from trestle.oscal import OSCAL_VERSION
    from trestle.oscal.assessment_results import Model

    model = Model.model_validate_json(oscal.assessment_results(request.getfixturevalue(name))).assessment_results

    assert model.metadata.oscal_version.root.root == oscal.VERSION == OSCAL_VERSION
    for validator in validator_factory.get_all():
        assert validator.model_is_valid(model, True), validator.error_msg()


def test_each_test_is_an_observation_and_only_exceptions_are_findings(sample: Report) -> None:
    result = read(sample)["results"][0]
    observed = [
        (observation["methods"], {prop["name"]: prop["value"] for prop in observation["props"]})
        for observation in result["observations"]
    ]

    assert [methods for methods, _ in observed] == [["TEST"], ["TEST"], ["TEST"], ["EXAMINE"], ["EXAMINE"]]
    assert observed[1][1]["test"] == "approval-before-use"
    assert (observed[1][1]["population"], observed[1][1]["exceptions"]) == ("12", "3")
    assert [props["verdict"] for _, props in observed[3:]] == ["not evidenced here", "not applicable"]
    (finding,) = result["findings"]
    assert finding["target"]["target-id"] == "soc-2-cc8.1"
    assert finding["target"]["status"]["state"] == "not-satisfied"
    assert {item["observation-uuid"] for item in finding["related-observations"]} == {
        item["uuid"] for item in result["observations"][1:3]
    }


def test_exceptions_are_named_by_their_records(sample: Report) -> None:
    evidence = read(sample)["results"][0]["observations"][1]["relevant-evidence"]

    assert [item["href"] for item in evidence] == [f"urn:evidence:record:{sample_reports.record(n)}" for n in range(3)]
    assert "Model: mira-bank-assistant" in evidence[0]["description"]


def test_the_document_names_checkpoint_plan_and_controls(sample: Report) -> None:
    document = read(sample)
    props = {prop["name"]: prop["value"] for prop in document["metadata"]["props"]}
    (selection,) = document["results"][0]["reviewed-controls"]["control-selections"]

    assert (props["checkpoint-root"], props["checkpoint-size"]) == (sample.as_of.root, "1234")
    assert document["import-ap"]["href"] == f"#{document['back-matter']['resources'][0]['uuid']}"
    assert [item["control-id"] for item in selection["include-controls"]] == [
        *("eu-ai-act-article-12-1", "soc-2-cc8.1", "iso-iec-42001-a.6.2.4", "sec-17a-4-f"),
    ]


def test_another_report_has_other_ids_and_the_same_report_the_same(sample: Report) -> None:
    other = sample_reports.report(41)

    assert read(sample)["uuid"] == read(sample_reports.report())["uuid"] != read(other)["uuid"]


def test_a_report_without_controls_is_refused() -> None:
    report = Report("text", "Text", sample_reports.AS_OF, (Section("All", (Text(("Nothing.",)),)),))

    with pytest.raises(UsageError, match="this one has none"):
        oscal.assessment_results(report)

"""The sample logs: written anew to the same bytes, and telling the story that sample_data/README.md tells."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
LOGS = SAMPLE / "logs"
RECOVERED = LOGS / "mira" / "2026-10-23-recovered.jsonl"


def _reject_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object repeats a key")
    return value


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


@cache
def bank_lines() -> list[Any]:
    """Every event/1 line that is whole."""
    weeks = [line for path in sorted((LOGS / "mira").glob("*-W*.jsonl")) for line in lines(path)]
    return weeks + lines(LOGS / "changes" / "2026-10.jsonl") + recovered()[0]


def recovered() -> tuple[list[Any], list[bytes]]:
    good, bad = [], []
    for line in RECOVERED.read_bytes().removesuffix(b"\n").split(b"\n"):
        try:
            good.append(json.loads(line.decode("utf-8"), object_pairs_hook=_reject_repeated))
        except ValueError:
            bad.append(line)
    return good, bad


@cache
def gateway_lines() -> list[Any]:
    return [line for path in sorted((LOGS / "gateway").glob("*.jsonl")) for line in lines(path)]


@cache
def spans() -> list[Any]:
    exports = lines(LOGS / "policy-assistant" / "2026-10.jsonl")
    return [span for export in exports for span in export["resourceSpans"][0]["scopeSpans"][0]["spans"]]


def of_kind(kind: str) -> list[Any]:
    return [line for line in bank_lines() if line["kind"] == kind]


def test_generator_writes_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SAMPLE / "generate.py"), str(tmp_path)], check=True, capture_output=True)
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    committed = {path.relative_to(LOGS): path.read_bytes() for path in LOGS.rglob("*") if path.is_file()}
    assert written.keys() == committed.keys()
    assert [str(path) for path in written if written[path] != committed[path]] == []


def test_sample_stays_small() -> None:
    assert sum(path.stat().st_size for path in LOGS.rglob("*") if path.is_file()) < 2_000_000


@pytest.mark.parametrize("path", sorted(LOGS.rglob("*.json*")), ids=lambda path: path.relative_to(LOGS).as_posix())
def test_every_file_but_the_recovered_one_is_clean_json(path: Path) -> None:
    if path == RECOVERED:
        good, bad = recovered()
        assert (len(good), len(bad)) == (4, 4)
        return
    documents = [path.read_bytes()] if path.suffix == ".json" else path.read_bytes().splitlines()
    assert documents
    for document in documents:
        assert isinstance(json.loads(document.decode("utf-8"), object_pairs_hook=_reject_repeated), dict)


def test_the_four_damaged_lines_are_damaged_in_four_ways() -> None:
    truncated, binary, twice, latin = recovered()[1]
    assert truncated.startswith(b'{"evidence"')
    assert not truncated.endswith(b"}")
    assert not binary.startswith(b"{")
    assert b'"status":"ok","status":"error"' in twice
    with pytest.raises(UnicodeDecodeError):
        latin.decode("utf-8")
    assert json.loads(latin.decode("cp1252"))


def test_sixty_one_sessions_in_three_kinds_of_log() -> None:
    bank = {line["session"] for line in bank_lines() if "session" in line}
    gateway = {line["session_id"] for line in gateway_lines()}
    staff = {attribute(span, "gen_ai.conversation.id") for span in spans()}
    assert (len(bank), len(gateway), len(staff)) == (44, 12, 5)
    assert not bank & staff


def attribute(span: Any, key: str) -> Any:
    return next(item["value"]["stringValue"] for item in span["attributes"] if item["key"] == key)


def test_sessions_run_from_one_answer_to_twenty() -> None:
    answers = Counter(
        line["session"] for line in of_kind("inference") if line.get("output", [{}])[0].get("finish_reason") == "stop"
    )
    assert min(answers.values()) == 1
    assert max(answers.values()) == 20


def test_sequence_numbers_of_a_session_have_no_gap() -> None:
    seen: dict[str, list[int]] = {}
    for line in bank_lines():
        if "session" in line:
            seen.setdefault(line["session"], []).append(line["seq"])
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in seen.values())


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    ids = Counter((line["source"], line["id"]) for line in bank_lines())
    assert max(ids.values()) == 1
    registry = {("mlflow", line["delivery_id"]) for line in lines(LOGS / "mlflow" / "2026-10.jsonl")}
    targets = {(link["source"], link["id"]) for line in bank_lines() for link in line.get("links", ())}
    # v1.4.0 went live in September: the registry's message of it is older than these logs
    assert len(targets - ids.keys() - registry) == 1


def test_three_model_versions_answer_and_one_is_rolled_back() -> None:
    asserted = {line["model"]["version"] for line in of_kind("inference") if "version" in line["model"]}
    assert asserted == {"v1.4.0", "v1.5.0", "v1.5.1"}
    live = [
        (line["time"][:10], line["change"]["to"]) for line in of_kind("change") if line["change"]["type"] == "model"
    ]
    assert live == [
        ("2026-09-25", "v1.4.0"),
        ("2026-10-12", "v1.5.0"),
        ("2026-10-16", "v1.4.0"),
        ("2026-10-22", "v1.5.1"),
    ]
    undone = [link["id"] for line in of_kind("change") for link in line.get("links", ())]
    assert undone == ["chg-2026-0323", "chg-2026-0327"]


def test_some_records_leave_their_model_version_to_be_inferred() -> None:
    assert len({line["session"] for line in of_kind("inference") if "version" not in line["model"]}) == 3


def test_one_change_has_no_approval_and_one_got_it_after_it_was_in_use() -> None:
    approved = {
        line["links"][0]["id"]: line["time"]
        for line in of_kind("approval")
        if line["source"] == "hv-change" and line["decision"] == "approved"
    }
    changes = {line["id"]: line for line in of_kind("change")}
    unapproved = [line["change"]["type"] for name, line in changes.items() if name not in approved]
    late = [
        (line["change"]["type"], line["time"][:10], approved[name][:10])
        for name, line in changes.items()
        if approved.get(name, "") > line["time"]
    ]
    assert unapproved == ["prompt"]
    assert late == [("dataset", "2026-10-19", "2026-10-21")]


def test_refunds_above_the_limit_wait_for_a_person() -> None:
    decided = [line["decision"] for line in of_kind("approval") if line["source"] == "refund-desk"]
    assert decided == ["requested", "approved", "requested", "rejected"]


def test_guard_masks_flags_and_blocks() -> None:
    verdicts = Counter((line["decision"], line["facts"]["rule"]) for line in of_kind("policy"))
    assert verdicts["masked", "card_number"] == 2
    assert verdicts["masked", "email"] == 2
    assert verdicts["flagged", "hiding_income"] == verdicts["blocked", "hiding_income"] == 1
    assert verdicts["blocked", "prompt_injection"] == 2
    gateway = [line["guardrail_information"] for line in gateway_lines() if line["guardrail_information"]]
    assert [verdict[0]["masked_entity_count"] for verdict in gateway] == [{"CARD_NUMBER": 1}]


def test_what_was_masked_reached_no_model() -> None:
    asked = [message for line in of_kind("inference") for message in line["input"] if message["role"] == "user"]
    asked += [message for line in gateway_lines() for message in line["messages"] if message["role"] == "user"]
    assert "[card number]" in json.dumps(asked)
    assert not re.search(r"\b\d{4} \d{4} \d{4} \d{4}\b", json.dumps(asked))


def test_models_and_tools_fail_sometimes() -> None:
    failures = Counter((line["kind"], line["error_type"]) for line in bank_lines() if line.get("status") == "error")
    assert failures == {
        ("inference", "timeout"): 2,
        ("inference", "rate_limit_exceeded"): 2,
        ("tool", "timeout"): 2,
        ("tool", "policy_denied"): 1,
    }


def test_leonie_has_five_sessions_and_is_named_in_others() -> None:
    own = {line["session"] for line in bank_lines() if "HV-104417" in json.dumps(line.get("subjects", {}))}
    assert len(own) == 4
    assert len({line["session_id"] for line in gateway_lines() if line["end_user"] == "HV-104417"}) == 1
    elsewhere = {
        line["session"]
        for line in bank_lines()
        if line.get("session") not in own and "Leonie Aster" in json.dumps(line) and "HV-104417" in json.dumps(line)
    }
    assert len(elsewhere) == 1
    assert any("Leonie Aster (HV-104417)" in json.dumps(span) for span in spans())


def test_a_daughter_asks_and_her_father_owns_the_data() -> None:
    owned = [line for line in bank_lines() if "owner" in line]
    assert owned
    assert {line["owner"]["id"] for line in owned} == {"HV-108730"}
    assert {line["subjects"]["end_user"][0]["id"] for line in owned} == {"HV-108731"}


def test_hostile_and_foreign_text_is_kept_as_it_came() -> None:
    text = "".join(
        part.get("content", "") for line in bank_lines() for m in line.get("input", ()) for part in m["parts"]
    )
    for piece in (
        "<script>alert(document.cookie)</script>",
        "\x1b[2J",
        "\u202e",
        "مرحبا",
        "Żeglarska",
        "👋",
        "Süderlügum",
    ):
        assert piece in json.dumps(bank_lines(), ensure_ascii=False) or piece in text, piece


def test_gateway_requests_carry_their_history() -> None:
    requests: dict[str, list[Any]] = {}
    for line in gateway_lines():
        requests.setdefault(line["session_id"], []).append(line["messages"])
    for session in requests.values():
        for earlier, later in pairwise(session):
            assert later[: len(earlier)] == earlier
            assert len(later) > len(earlier)


def test_customers_wait_minutes_within_a_session() -> None:
    starts: dict[str, list[str]] = {}
    for line in bank_lines():
        if "session" in line:
            starts.setdefault(line["session"], []).append(line["time"])
    gaps = [
        _seconds(later) - _seconds(earlier) for times in starts.values() for earlier, later in pairwise(sorted(times))
    ]
    assert sum(gap > 600 for gap in gaps) >= 8
    assert max(gaps) < 3700


def _seconds(time: str) -> float:
    hours, minutes, seconds = time[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_tool_calls_and_results_match() -> None:
    asked = {
        part["id"]: part["name"]
        for line in of_kind("inference")
        for message in line.get("output", ())
        for part in message["parts"]
        if part["type"] == "tool_call"
    }
    ran = {line["gen_ai"]["tool.call.id"]: line["gen_ai"]["tool.name"] for line in of_kind("tool")}
    assert asked == ran


def test_mail_addresses_and_telephone_numbers_are_reserved_ones() -> None:
    text = b"".join(path.read_bytes() for path in LOGS.rglob("*") if path.is_file()).decode("utf-8", "replace")
    hosts = set(re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text))
    assert hosts <= {"example.com", "harbour-vale.test"}
    assert set(re.findall(r"\+1 202 (\d{3} \d\d)\d\d", text)) == {"555 01"}


def test_readme_names_the_session_of_the_blocked_card() -> None:
    blocked = [
        line["session"]
        for line in of_kind("tool")
        if line["gen_ai"]["tool.name"] == "block_card" and "HV-104417" in json.dumps(line)
    ]
    assert len(blocked) == 1
    assert f"`{blocked[0]}`" in (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert f'"{blocked[0]}"' in (SAMPLE / "demo.py").read_text(encoding="utf-8")

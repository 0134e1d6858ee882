"""What happened to the assistant itself in October 2026: versions, changes, approvals, evaluations.

The facts stand here once; native.py, webhooks.py and the tests read them.
"""

from __future__ import annotations

from typing import NamedTuple

from sample_data.play import microseconds

MODEL = "mira-7b"
PROMPT = "mira-system"


class Change(NamedTuple):
    """A change to what is in service. ``approved`` is empty where nobody approved it."""

    id: str
    type: str
    name: str
    before: str
    after: str
    at: str
    by: str
    requested: str
    approved: str
    why: str
    verdict: str
    undoes: str = ""
    rejected: str = ""
    rejected_why: str = ""


CHANGES = (
    Change(
        *("chg-2026-0312", "model", MODEL, "v1.3.2", "v1.4.0", "2026-09-25 05:30:12.408113", "callum"),
        *("2026-09-23 13:05:44.120950", "2026-09-24 14:11:09.772001"),
        *("Monthly model release.", "Evaluation passed, fee questions checked by hand."),
    ),
    Change(
        *("chg-2026-0319", "policy", "mira-guard", "g-11", "g-12", "2026-10-08 06:00:03.551870", "marek"),
        *("2026-10-06 15:40:18.014277", "2026-10-07 15:12:37.903342"),
        "Guard rule hiding_income: block instead of flag, after a review of flagged sessions.",
        "Agreed with Compliance.",
    ),
    Change(
        *("chg-2026-0323", "model", MODEL, "v1.4.0", "v1.5.0", "2026-10-12 05:30:21.117460", "callum"),
        *("2026-10-09 12:02:51.660018", "2026-10-09 16:20:05.348871"),
        *("Fine-tuned on the dialogues of the third quarter.", "Evaluation passed in total."),
    ),
    Change(
        *("chg-2026-0327", "prompt", PROMPT, "p-07", "p-08", "2026-10-14 13:47:30.096145", "marek"),
        *("", ""),
        *("Quick fix for the fee question: do not mention fees unless asked.", ""),
    ),
    Change(
        *("chg-2026-0331", "model", MODEL, "v1.5.0", "v1.4.0", "2026-10-16 11:20:02.730419", "callum"),
        *("2026-10-16 10:31:14.502633", "2026-10-16 10:58:47.219905"),
        *("Roll-back after complaints CMP-0917, CMP-0923 and CMP-0926.", "Emergency change, at once."),
        undoes="chg-2026-0323",
    ),
    Change(
        *("chg-2026-0332", "prompt", PROMPT, "p-08", "p-07", "2026-10-16 11:20:40.118256", "marek"),
        *("2026-10-16 10:33:02.871146", "2026-10-16 10:59:20.004518"),
        *("Back to the approved prompt.", "The change to p-08 never came to us. Incident INC-2291 opened."),
        undoes="chg-2026-0327",
    ),
    Change(
        *("chg-2026-0335", "dataset", "price-list", "2024-02", "2026-01", "2026-10-19 06:00:11.300725", "petra"),
        *("2026-10-19 09:14:56.447180", "2026-10-21 06:42:13.985506"),
        *("The training data held the price list of 2024.", "Approved afterwards; training began on 19 October."),
    ),
    Change(
        *("chg-2026-0338", "model", MODEL, "v1.4.0", "v1.5.1", "2026-10-22 05:30:17.881034", "callum"),
        *("2026-10-20 08:10:33.290417", "2026-10-21 15:30:48.615929"),
        *("v1.5.0 trained again with the current price list.", "Regression tests on fees are complete now."),
        rejected="2026-10-20 14:25:19.076802",
        rejected_why="Regression tests on fees are missing.",
    ),
)


class Evaluation(NamedTuple):
    """An offline evaluation of one model version; scores are decimals as text."""

    at: str
    version: str
    suite: str
    score: str
    cases: int


EVALUATIONS = (
    Evaluation("2026-09-23 11:48:20.500137", "v1.4.0", "banking-qa", "0.874", 240),
    Evaluation("2026-09-23 11:52:02.118840", "v1.4.0", "fees", "0.958", 48),
    Evaluation("2026-10-09 10:30:41.703329", "v1.5.0", "banking-qa", "0.896", 240),
    Evaluation("2026-10-09 10:33:15.020996", "v1.5.0", "fees", "0.708", 48),
    Evaluation("2026-10-21 13:05:07.946213", "v1.5.1", "banking-qa", "0.901", 240),
    Evaluation("2026-10-21 13:08:52.331478", "v1.5.1", "fees", "0.979", 48),
)


def in_force(name: str, at: int) -> str:
    """The version of the model, prompt, data set or policy ``name`` at a time (microseconds since 1970)."""
    held = [change for change in CHANGES if change.name == name]
    before = [change.after for change in held if microseconds(change.at) <= at]
    return before[-1] if before else held[0].before

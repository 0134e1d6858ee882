"""``evidence dsar``: requests of data subjects, from receipt to certificate."""

from __future__ import annotations

from cli import (
    dsar_clock,
    dsar_close,
    dsar_correct,
    dsar_execute,
    dsar_export,
    dsar_find,
    dsar_open,
    dsar_plan,
    dsar_restrict,
    dsar_show,
    dsar_spans,
)
from cli.groups import Group, Subcommand

GROUP = Group(
    "dsar",
    "Data subjects' requests: find, plan, erase, prove.",
    (
        Subcommand("open", dsar_open.open_, dsar_open.OPEN, "Open a request; its deadline is fixed."),
        Subcommand("list", dsar_show.list_, dsar_show.LIST, "Requests, overdue ones first."),
        Subcommand("show", dsar_show.show, dsar_show.SHOW, "All that happened to one; plan, approvals."),
        Subcommand("confirm", dsar_open.confirm, dsar_open.CONFIRM, "The requester was told of the receipt."),
        Subcommand("identify", dsar_clock.identify, dsar_clock.IDENTIFY, "The requester was identified, and how."),
        Subcommand("pause", dsar_clock.pause, dsar_clock.PAUSE, "Stop the clock for doubt about identity."),
        Subcommand("resume", dsar_clock.resume, dsar_clock.RESUME, "Let it run on."),
        Subcommand("extend", dsar_clock.extend, dsar_clock.EXTEND, "Take the longer period, with a reason."),
        Subcommand("find", dsar_find.find, dsar_find.EXAMPLE, "Find a person: records, sessions, mentions."),
        Subcommand("plan", dsar_plan.plan, dsar_plan.PLAN, "Row by row what an erasure will do."),
        Subcommand("statement", dsar_plan.statement, dsar_plan.STATEMENT, "What an approver signs."),
        Subcommand("approve", dsar_plan.approve, dsar_plan.APPROVE, "Approve the plan as a second person."),
        Subcommand("spans", dsar_spans.spans, dsar_spans.EXAMPLE, "What may be about others, to be reviewed."),
        Subcommand("export", dsar_export.export, dsar_export.EXAMPLE, "The person's copy of their data."),
        Subcommand("correct", dsar_correct.correct, dsar_correct.EXAMPLE, "Record what is right instead."),
        Subcommand("restrict", dsar_restrict.restrict, dsar_restrict.EXAMPLE, "Keep what is about a person, hidden."),
        Subcommand("lift", dsar_restrict.lift, dsar_restrict.LIFT_EXAMPLE, "End a restriction."),
        Subcommand("execute", dsar_execute.execute, dsar_execute.EXECUTE, "Carry the approved plan out."),
        Subcommand("certificate", dsar_execute.certificate, dsar_execute.CERTIFICATE, "Prove what was erased."),
        Subcommand("close", dsar_close.close, dsar_close.CLOSE, "End a request, with a reason."),
    ),
)

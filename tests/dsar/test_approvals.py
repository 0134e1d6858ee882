"""Another person approves the plan's digest, by a key that the log knows; everybody else can check it again."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger import notes
from ledger.errors import FormatError, RequestRefusedError, TamperedError, UsageError
from ledger.store import Store, load_signer
from replay import catalog
from replay.catalog import Catalog
from reports.dsar import sshsig, statements
from reports.dsar.approvals import approve, check_approvals, counting, statement_of
from reports.dsar.planning import plan_request
from reports.dsar.register import Step, advance
from reports.dsar.requests import RequestState, find_request
from reports.retention.policy import DEFAULT

OLGA = notes.Signer("olga", bytes(range(32)))


@pytest.fixture
def listed(office: Any, store: Store) -> Iterator[Catalog]:
    office.ingest(office.said("nadia", id="n1"), office.said("emil", id="e1"))
    store.refresh()
    with catalog.opened(store) as opened:
        yield opened


@pytest.fixture
def planned(listed: Catalog, opened: Callable[..., RequestState]) -> RequestState:
    """A request with a plan."""
    return plan_request(listed, opened(said={}), DEFAULT, []).state


@pytest.fixture
def enrol(store: Store, office: Any) -> Callable[..., None]:
    """``enrol(vkey, roles)`` by the admin key."""
    admin = load_signer(next(Path(store.settings.writer_key).parent.glob("admin*")))

    def act(vkey: str, *roles: str, action: str = "enrol") -> None:
        body: dict[str, Any] = {"action": action, "vkey": vkey}
        if action == "enrol":
            body["roles"] = list(roles)
        store.append([("key", body)], by=[admin])

    return act


def test_a_second_person_approves(store: Store, planned: RequestState, enrol: Any) -> None:
    enrol(OLGA.vkey, "approver")
    state = approve(store, planned, statements.sign(statement_of(store, planned), OLGA))

    assert state.status == "approved"
    assert [item.vkey for item in counting(store, state)] == [OLGA.vkey]


def test_the_statement_names_log_request_and_plan(store: Store, planned: RequestState) -> None:
    assert statement_of(store, planned).decode() == (
        f"evidence/approval/1\n{store.history.origin}\nrequest {planned.request}\nplan {planned.plan}\n"
    )


def test_a_key_that_the_log_does_not_know_approves_nothing(store: Store, planned: RequestState) -> None:
    with pytest.raises(UsageError, match="no role approver"):
        approve(store, planned, statements.sign(statement_of(store, planned), OLGA))
    assert find_request(store, planned.request) == planned


def test_a_key_in_another_role_approves_nothing(store: Store, planned: RequestState) -> None:
    assert store.settings.log_key is not None
    signer = load_signer(store.settings.log_key)
    with pytest.raises(UsageError, match="no role approver"):
        approve(store, planned, statements.sign(statement_of(store, planned), signer))


@pytest.mark.parametrize("name", ["writer", "privacy"])
def test_who_opened_or_planned_it_does_not_approve_it_under_whatever_name(
    store: Store, planned: RequestState, enrol: Any, name: Any
) -> None:
    """The key counts: enrolled again under another name it is the same person's."""
    seed = store.signer(name)._seed
    disguised = notes.Signer("somebody-else", seed)
    enrol(disguised.vkey, "approver")
    with pytest.raises(RequestRefusedError, match="second person"):
        approve(store, planned, statements.sign(statement_of(store, planned), disguised))


def test_where_it_is_unclear_who_planned_nobody_approves(store: Store, planned: RequestState, enrol: Any) -> None:
    """An entry whose ``opened_by`` is no key leaves nobody to be told apart from."""
    enrol(OLGA.vkey, "approver")
    unclear = msgspec.structs.replace(planned, keys=["no key at all"])
    with pytest.raises(RequestRefusedError, match="second person"):
        approve(store, unclear, statements.sign(statement_of(store, planned), OLGA))


def test_a_planner_who_signed_the_plan_does_not_approve_it(
    listed: Catalog, opened: Callable[..., RequestState], enrol: Any
) -> None:
    enrol(OLGA.vkey, "approver")
    state = plan_request(listed, opened(said={}), DEFAULT, [], OLGA).state
    with pytest.raises(RequestRefusedError, match="second person"):
        approve(listed.store, state, statements.sign(statement_of(listed.store, state), OLGA))


def test_a_signature_over_another_plan_is_none(store: Store, planned: RequestState, enrol: Any) -> None:
    enrol(OLGA.vkey, "approver")
    other = statements.statement(store.history.origin, planned.request, "ab" * 32)
    with pytest.raises(TamperedError):
        approve(store, planned, statements.sign(other, OLGA))


def test_a_signature_for_another_log_is_none(store: Store, planned: RequestState, enrol: Any) -> None:
    enrol(OLGA.vkey, "approver")
    other = statements.statement("elsewhere/store", planned.request, planned.plan or "")
    with pytest.raises(TamperedError):
        approve(store, planned, statements.sign(other, OLGA))


def test_without_a_plan_there_is_nothing_to_approve(store: Store, opened: Callable[..., RequestState]) -> None:
    with pytest.raises(RequestRefusedError, match="has no plan"):
        statement_of(store, opened())


def test_an_approval_does_not_outlive_its_plan(
    office: Any, listed: Catalog, planned: RequestState, enrol: Any, store: Store
) -> None:
    enrol(OLGA.vkey, "approver")
    state = approve(store, planned, statements.sign(statement_of(store, planned), OLGA))
    office.ingest(office.said("nadia", "more", id="n2"))
    store.refresh()
    listed.sync()
    again = plan_request(listed, state, DEFAULT, []).state

    assert again.status == "planned"
    assert [item.why for item in check_approvals(store, again)] == ["it is of an earlier plan"]
    assert counting(store, again) == []


def test_a_key_that_was_retired_no_longer_counts(store: Store, planned: RequestState, enrol: Any) -> None:
    enrol(OLGA.vkey, "approver")
    state = approve(store, planned, statements.sign(statement_of(store, planned), OLGA))
    enrol(OLGA.vkey, action="retire")

    assert [item.why for item in check_approvals(store, state)] == ["its key does not hold the role approver now"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"signature": statements.sign(b"something else\n", OLGA).signature}, "does not verify"),
        ({"signature": "AAAA"}, "holds no signature"),
        ({"signature": "not base64"}, "base64"),
        ({"scheme": "sshsig"}, "SSHSIG"),
        ({"scheme": "asserted"}, "no way to sign"),
        ({"vkey": "olga+00000000+AAAA"}, "verifier key"),
    ],
)
def test_what_a_writer_puts_into_the_log_counts_only_if_it_verifies(
    store: Store, planned: RequestState, enrol: Any, change: dict[str, str], why: str
) -> None:
    """Who holds the writer key can write an approval; nobody needs to believe it."""
    enrol(OLGA.vkey, "approver")
    right = statements.sign(statement_of(store, planned), OLGA)
    details = {"plan": planned.plan, "vkey": OLGA.vkey, "scheme": right.scheme, "signature": right.signature}
    state = advance(store, planned, [Step("approved", {**details, **change})])

    (checked,) = check_approvals(store, state)
    assert not checked.counts
    assert why in checked.why
    assert counting(store, state) == []


def test_a_name_of_the_operating_system_approves_nothing(store: Store, planned: RequestState) -> None:
    """The operator of each event is a random reference, asserted: no rule asks for it."""
    assert all(len(str(item.details["operator"])) == 32 for item in planned.events)
    with pytest.raises(RequestRefusedError, match="lacks"):
        advance(store, planned, [Step("approved", {"plan": planned.plan})])


def test_a_plan_whose_bytes_are_others_takes_the_approval_along(
    office: Any, store: Store, planned: RequestState, enrol: Any
) -> None:
    enrol(OLGA.vkey, "approver")
    state = approve(store, planned, statements.sign(statement_of(store, planned), OLGA))
    path = office.installation.folder / f"ledger/blob/{state.plan}"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"keep"', b'"halt"').replace(b'"erase"', b'"keep!"'))

    (checked,) = check_approvals(store, state)
    assert (checked.counts, "not those of its name" in checked.why) == (False, True)


def test_an_ssh_key_approves_as_the_verifier_key_of_the_same_bytes(
    store: Store, planned: RequestState, enrol: Any
) -> None:
    enrol(OLGA.vkey, "approver")
    text = statement_of(store, planned)
    state = approve(store, planned, statements.take_ssh(text, ssh_signature(text)))

    (approval,) = counting(store, state)
    assert (approval.vkey, approval.scheme) == (OLGA.vkey, "sshsig")
    assert store.history.entries[-1].value["details"]["signature"] == approval.signature


def test_an_ssh_signature_over_another_text_is_none(store: Store, planned: RequestState, enrol: Any) -> None:
    enrol(OLGA.vkey, "approver")
    with pytest.raises(TamperedError):
        statements.take_ssh(statement_of(store, planned), ssh_signature(b"something else\n"))
    with pytest.raises(FormatError):
        statements.take_ssh(statement_of(store, planned), b"-----BEGIN NOTHING-----\n")


def ssh_signature(text: bytes) -> bytes:
    """As ``ssh-keygen -Y sign -n evidence-approval`` makes it; test_sshsig.py compares with the real one."""

    def string(value: bytes) -> bytes:
        return struct.pack(">I", len(value)) + value

    fields = (statements.NAMESPACE.encode(), b"", b"sha512")
    message = b"SSHSIG" + b"".join(map(string, (*fields, hashlib.sha512(text).digest())))
    raw = notes.private_key(bytes(range(32))).sign(message)
    key = string(b"ssh-ed25519") + string(OLGA.verifier.public_key)
    parts = (key, *fields, string(b"ssh-ed25519") + string(raw))
    blob = b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(string, parts))
    return sshsig.armour(base64.b64encode(blob).decode()).encode()

"""The page Overview: what the store holds, how far it is anchored, and when it was last verified."""

from __future__ import annotations

import streamlit as st

from app import drawing, store_access
from app.overview_facts import Overview, overview
from app.words import age, at_second, count, duration


def draw() -> None:
    """The whole page."""
    st.header("Overview", anchor=False)
    with drawing.problems_shown():
        with store_access.opened() as catalog:
            facts = overview(catalog)
        _remarks(facts)
        _numbers(facts)
        left, right = st.columns(2, gap="medium")
        with left:
            _ledger(facts)
        with right:
            _verification(facts)
        _tables(facts)


def _remarks(facts: Overview) -> None:
    """What an operator should act on, the worst first."""
    known = facts.verification
    if facts.contradicted:
        st.error(
            "The store shows less than was verified here before, or something else: an older or forged copy may "
            "stand in its place. Run `evidence verify` before you rely on anything below.",
            icon=":material/gpp_bad:",
        )
    if facts.partitions == 0:
        st.info("The store is there and empty. `evidence ingest ./logs` seals the first logs.", icon=":material/info:")
    if facts.pin_problem is None and known is None:
        st.warning(
            "No verification is remembered here. Run `evidence verify`; without its pin, an older copy of the store "
            "would look as good as the newest.",
            icon=":material/warning:",
        )
    elif known is not None and known.same_log and known.age > facts.max_age:
        st.warning(
            f"The last verification is {duration(known.age)} old, more than the {duration(facts.max_age)} allowed. "
            "Run `evidence verify`.",
            icon=":material/schedule:",
        )
    if facts.partitions and age(facts.last_commit_at) > facts.max_age:
        st.warning(
            f"Nothing was committed for {duration(age(facts.last_commit_at))}: does ingest still run?",
            icon=":material/schedule:",
        )


def _numbers(facts: Overview) -> None:
    with st.container(horizontal=True, gap="small"):
        st.metric("Records", f"{facts.records:,}", border=True)
        st.metric("Sessions", f"{facts.sessions:,}", border=True)
        st.metric("Partitions", f"{facts.partitions:,}", border=True)
        st.metric(
            "Rejected",
            f"{facts.rejected:,}",
            border=True,
            help="Documents that no adapter understood. Their bytes are sealed all the same.",
        )
        st.metric(
            "Waiting, not anchored",
            f"{facts.waiting:,}",
            border=True,
            help="Records in the spool, mostly of accesses: durable and encrypted, but no checkpoint covers them yet. "
            "`evidence seal` anchors them.",
        )


def _ledger(facts: Overview) -> None:
    st.subheader("Ledger", anchor=False)
    pairs = [("Store", facts.location), ("Origin", facts.origin)]
    if facts.checkpoint is None:
        pairs.append(("Checkpoint", "none is published; evidence seal publishes one"))
    else:
        covered = f"covers {count(facts.checkpoint.size, 'entry', 'entries')}"
        missing = f", {facts.unpublished:,} not covered yet" if facts.unpublished else ", all there are"
        pairs += [("Checkpoint", covered + missing), ("Root (SHA-256)", facts.checkpoint.root.hex())]
    committed = f"{at_second(facts.last_commit_at)} UTC, {duration(age(facts.last_commit_at))} ago"
    drawing.facts([*pairs, ("Last commit", committed)])


def _verification(facts: Overview) -> None:
    st.subheader("Last verification", anchor=False)
    known = facts.verification
    if facts.pin_problem is not None:
        st.error("The pin cannot be read, so nothing is known of verifications.", icon=":material/error:")
        drawing.plain(facts.pin_problem)
    elif known is None:
        drawing.facts([("Verified", "never, as far as this installation knows")])
    elif not known.same_log:
        st.error("The pin is of another log. It says nothing about this store.", icon=":material/error:")
    else:
        since = max((facts.checkpoint.size if facts.checkpoint else 0) - known.size, 0)
        drawing.facts(
            [
                ("Found intact", f"{at_second(known.at)} UTC, {duration(known.age)} ago"),
                ("Covered", f"the first {count(known.size, 'entry', 'entries')} of the log"),
                ("Since then", f"{count(since, 'entry', 'entries')} published, not verified" if since else "no change"),
                ("Level", known.level),
            ]
        )
    st.caption(
        "This page shows what the store says of itself; it does not verify. `evidence verify` does, and "
        "only its findings count. They mean *unchanged since ingest*, not that a source logged truthfully."
    )


def _tables(facts: Overview) -> None:
    if facts.partitions == 0:
        return
    left, middle, right = st.columns([5, 5, 16], gap="small")
    with left:
        st.subheader("Records by kind", anchor=False)
        st.dataframe(facts.kinds, hide_index=True, height="content")
    with middle:
        st.subheader("Sessions by decision", anchor=False)
        if facts.decisions.is_empty():
            st.caption("No decision is recorded.")
        else:
            st.dataframe(facts.decisions, hide_index=True, height="content")
    with right:
        st.subheader("Newest partitions", anchor=False)
        st.dataframe(facts.newest, hide_index=True, height="content")


if __name__ == "__main__":
    draw()

"""Which approval each change has, as SQL over the catalog's list of changes and approvals.

An approval says what it approves by source and id; a change goes by its own, by those that it says are the same, and
by those of which it says that it is part: a state of an approved deployment is approved.
"""

from __future__ import annotations

from typing import Final

APPROVED: Final = "approved"
APPROVED_LATE: Final = "approved after it took effect"
REJECTED: Final = "rejected"
NOT_EVIDENCED: Final = "no approval evidenced here"
TIME_UNKNOWN: Final = "approved, time unknown"

CHANGES_VIEW: Final = f"""
SELECT c.record_id, c.seq, c.source, c.source_id,
    coalesce(c.occurred_at, c.observed_at) AS occurred_at, c.occurred_at IS NOT NULL AS time_known,
    c.change_type, c.change_name, c.change_from, c.change_to, c.digest_from, c.digest_to, c.system, c.environment,
    c.status, c.subjects, c.actors, list_sort(list_distinct(list_concat(c.requesters, a.requesters))) AS requesters,
    a.approvers, a.approved_at, a.record_id AS approval_record, a.seq AS approval_seq, a.committed_later,
    c.names, c.rolls_back, c.part_of,
    CASE
        WHEN a.record_id IS NULL AND r.record_id IS NOT NULL THEN '{REJECTED}'
        WHEN a.record_id IS NULL THEN '{NOT_EVIDENCED}'
        WHEN a.approved_at IS NULL THEN '{TIME_UNKNOWN}'
        WHEN a.approved_at > coalesce(c.occurred_at, c.observed_at) THEN '{APPROVED_LATE}'
        ELSE '{APPROVED}'
    END AS approval
FROM change_list c
LEFT JOIN LATERAL (
    SELECT p.record_id, p.occurred_at AS approved_at, p.seq, p.seq > c.seq AS committed_later, p.approvers,
        p.requesters
    FROM change_list p
    WHERE p.kind = 'approval' AND p.decision = 'approved' AND list_has_any(p.approves, c.names) AND NOT EXISTS (
        FROM change_list w
        WHERE w.kind = 'approval' AND w.decision IN ('rejected', 'revoked') AND list_has_any(w.approves, c.names)
            AND w.occurred_at > p.occurred_at AND w.occurred_at <= coalesce(c.occurred_at, c.observed_at)
    )
    ORDER BY p.occurred_at NULLS LAST LIMIT 1
) a ON true
LEFT JOIN LATERAL (
    SELECT p.record_id FROM change_list p
    WHERE p.kind = 'approval' AND p.decision IN ('rejected', 'revoked') AND list_has_any(p.approves, c.names) LIMIT 1
) r ON true
WHERE c.kind = 'change' AND c.change_type IS NOT NULL
"""

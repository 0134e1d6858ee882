-- The catalog: derived from the ledger and the events files, rebuilt whenever it is missing or of another version.
CREATE TABLE state (version INTEGER, store VARCHAR, partitions INTEGER);

CREATE TABLE partition_list (
    partition INTEGER, entry BIGINT, seq BIGINT, committed_at TIMESTAMPTZ, date DATE, rows BIGINT, segments BIGINT,
    root VARCHAR, retention_class VARCHAR, from_time VARCHAR, to_time VARCHAR, rejected BIGINT,
    events VARCHAR, events_size BIGINT, content VARCHAR, content_size BIGINT
);

CREATE TABLE session_parts (
    session VARCHAR, partition INTEGER, first_row BIGINT, rows BIGINT, first_at TIMESTAMPTZ, last_at TIMESTAMPTZ,
    inferences BIGINT, tools BIGINT, policies BIGINT, failures BIGINT, models VARCHAR[], decisions VARCHAR[],
    statuses VARCHAR[], sources VARCHAR[], input_tokens BIGINT, output_tokens BIGINT, subjects VARCHAR[], timed BIGINT,
    owners VARCHAR[], envelopes BIGINT
);

-- Inference records that are linked to others as the same call or a part of one, and whether that call is counted by
-- its own record. A call of which only such records are there goes by the name of its first link.
CREATE TABLE echoes (
    session VARCHAR, partition INTEGER, row BIGINT, own VARCHAR, targets VARCHAR[], call VARCHAR,
    input_tokens BIGINT, output_tokens BIGINT, counted BOOLEAN
);

-- The names of inference records, of those partitions alone that share a session with an echo.
CREATE TABLE calls (session VARCHAR, call VARCHAR);

CREATE TABLE calls_read (partition INTEGER);

-- Rows in which a person has any role, or owns the content, as runs of rows that follow each other.
CREATE TABLE subject_runs (subject VARCHAR, partition INTEGER, first_row BIGINT, rows BIGINT);

CREATE TABLE input_parts (
    input VARCHAR, step BIGINT, partition INTEGER, rows BIGINT, bytes_class BIGINT
);

CREATE TABLE change_list (
    record_id VARCHAR, partition INTEGER, row BIGINT, seq BIGINT, kind VARCHAR, source VARCHAR, source_id VARCHAR,
    occurred_at TIMESTAMPTZ, observed_at TIMESTAMPTZ, decision VARCHAR, status VARCHAR, system VARCHAR,
    environment VARCHAR, change_type VARCHAR, change_name VARCHAR, change_from VARCHAR, change_to VARCHAR,
    digest_from VARCHAR, digest_to VARCHAR, subjects VARCHAR[], actors VARCHAR[], requesters VARCHAR[],
    approvers VARCHAR[], names VARCHAR[], approves VARCHAR[], rolls_back VARCHAR[], part_of VARCHAR[]
);

-- The entries of the log, their canonical JSON as text.
CREATE TABLE entry_list (entry BIGINT, seq BIGINT, committed_at TIMESTAMPTZ, type VARCHAR, value VARCHAR);

CREATE INDEX session_parts_by_session ON session_parts (session);
CREATE INDEX subject_runs_by_subject ON subject_runs (subject);

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
    owners VARCHAR[]
);

CREATE TABLE subject_parts (subject VARCHAR, partition INTEGER, rows BIGINT);

CREATE TABLE input_parts (
    input VARCHAR, step BIGINT, partition INTEGER, rows BIGINT, bytes_class BIGINT
);

CREATE TABLE change_list (
    record_id VARCHAR, partition INTEGER, row BIGINT, seq BIGINT, kind VARCHAR, source VARCHAR, source_id VARCHAR,
    occurred_at TIMESTAMPTZ, observed_at TIMESTAMPTZ, decision VARCHAR, status VARCHAR, system VARCHAR,
    change_type VARCHAR, change_name VARCHAR, change_from VARCHAR, change_to VARCHAR, subjects VARCHAR[],
    names VARCHAR[], approves VARCHAR[]
);

CREATE INDEX session_parts_by_session ON session_parts (session);

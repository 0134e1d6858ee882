"""One SELECT over the views and nothing else: no file, no network, no setting, and an end to what takes too long."""

from __future__ import annotations

import math
import resource
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ledger.errors import QueryRefusedError, StorageError
from replay import query as guarded
from replay.query import query
from replay.views import NAMES


@pytest.fixture(scope="module")
def store(sample: Any) -> Any:
    with sample.installation.open() as opened:
        yield opened


@pytest.mark.parametrize("name", NAMES)
def test_every_view_can_be_read(store: Any, name: str) -> None:
    assert query(store, f"FROM {name}", limit=1).table.num_columns > 2


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT count(*) FROM records r JOIN sessions s USING (session) WHERE r.kind = 'approval'", [[4]]),
        ("WITH t AS (SELECT * FROM sessions) SELECT count(*) FROM T -- with a comment", [[61]]),
        ("WITH records AS (SELECT 7 AS x) SELECT x FROM records", [[7]]),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) FROM n", [[6]]),
        ("SELECT DISTINCT m FROM sessions, unnest(models) t(m) WHERE m = 'mira-7b'", [["mira-7b"]]),
        ("SELECT count(*) FROM range(3), generate_series(1, 2);", [[6]]),
        ("SELECT kind, count(*) FROM Records WHERE kind = 'rejected' GROUP BY ALL", [["rejected", 3]]),
        (
            "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT x FROM a UNION ALL FROM b ORDER BY x",
            [[1], [2]],
        ),
        ("SELECT (WITH t AS (SELECT 5 AS x) SELECT x FROM t) FROM (WITH t AS (SELECT 6 AS y) FROM t)", [[5]]),
        ("VALUES (1, NULL)", [[1, None]]),
        ("SELECT 1 AS a, 2 AS a, 3 AS a_1", [[1, 2, 3]]),
    ],
)
def test_what_one_may_ask(store: Any, sql: str, expected: list[list[Any]]) -> None:
    assert query(store, sql).rows() == expected


def test_columns_of_one_name_are_told_apart(store: Any) -> None:
    assert query(store, "SELECT 1 AS a, 2 AS a, 3 AS a_1").table.column_names == ["a", "a_1", "a_1_1"]


def test_values_are_parameters(store: Any) -> None:
    assert query(store, "SELECT ?, ? || 'x'", ["' OR 1", "y"]).rows() == [["' OR 1", "yx"]]


def test_more_rows_than_the_limit_are_announced(store: Any) -> None:
    result = query(store, "SELECT * FROM range(10)", limit=3)

    assert (result.rows(), result.more) == ([[0], [1], [2]], True)
    assert query(store, "SELECT * FROM range(3)", limit=3).more is False


REFUSED = [
    *("", "-- nothing", "SELECT 1; SELECT 2", "SELEC 1", "SELECT * FROM nothing", "PIVOT sessions ON session"),
    *("CREATE TABLE t (a INT)", "CREATE VIEW records AS SELECT 1", "DROP VIEW records", "DELETE FROM catalog.state"),
    *("INSERT INTO catalog.state VALUES (1, '', 1)", "UPDATE catalog.state SET partitions = 0", "VACUUM", "CHECKPOINT"),
    "WITH x AS (INSERT INTO catalog.state VALUES (1, '', 1) RETURNING *) FROM x",
    *("SET memory_limit = '64GB'", "SET enable_external_access = true", "RESET lock_configuration", "BEGIN"),
    *("PRAGMA database_list", "CALL pragma_version()", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1"),
    *("INSTALL httpfs", "LOAD httpfs", "ATTACH '/tmp/other.db'", "DETACH catalog", "USE catalog"),
    *("COPY (SELECT 1) TO '/tmp/out.csv'", "COPY records FROM '/etc/passwd'", "EXPORT DATABASE '/tmp/out'"),
    *("FROM '/etc/passwd'", "FROM '/etc/passwd.csv'", "FROM read_csv('/etc/passwd')", "FROM read_text('/etc/passwd')"),
    *("FROM read_blob('/etc/passwd')", "FROM read_json('/etc/x')", "FROM read_parquet('/etc/x')", "FROM glob('/*')"),
    *("FROM sniff_csv('/etc/passwd')", "FROM parquet_metadata('/etc/x')", "FROM parquet_schema('/etc/x')"),
    *("FROM 'https://example.com/x.csv'", "FROM read_csv('https://example.com/x.csv')", "FROM 's3://bucket/x.parquet'"),
    *("SELECT getenv('HOME')", "FROM duckdb_settings()", "FROM duckdb_secrets()", "FROM duckdb_databases()"),
    *("FROM pragma_database_list()", "FROM enable_logging()", "FROM which_secret('s3://x', 's3')", "FROM duckdb_logs"),
    *("FROM query('SELECT 1')", "FROM query_table('records')", "FROM json_execute_serialized_sql('{}')"),
    *("FROM catalog.session_parts", "FROM catalog.main.state", "FROM session_parts", "FROM information_schema.tables"),
    *("SELECT (SELECT count(*) FROM read_text('/etc/passwd'))", "SELECT * FROM records WHERE EXISTS (FROM glob('/*'))"),
    "WITH x AS (FROM read_text('/etc/passwd')) FROM x",
    "SELECT 1 UNION ALL SELECT size FROM read_blob('/etc/passwd')",
    *("FROM table_paths", "SELECT * FROM sql", "FROM store"),
    # A name that a WITH makes says nothing of the same name with a catalog or schema, or outside of that WITH.
    'FROM catalog.subject_parts, (WITH "catalog.subject_parts" AS (SELECT 1 a) FROM "catalog.subject_parts") t',
    'FROM information_schema.tables, (WITH "information_schema.tables" AS (SELECT 1) SELECT 1) t',
    "WITH subject_parts AS (SELECT 1) FROM catalog.subject_parts",
    "FROM duckdb_tables, (WITH duckdb_tables AS (SELECT 1 AS a) FROM duckdb_tables) t",
    "SELECT (WITH sqlite_master AS (SELECT 1 AS a) SELECT a FROM sqlite_master) FROM sqlite_master",
    "WITH duckdb_tables AS (SELECT table_name FROM duckdb_tables) FROM duckdb_tables",
    "WITH RECURSIVE duckdb_tables AS (SELECT table_name FROM duckdb_tables UNION ALL SELECT 'x') FROM duckdb_tables",
    *("FROM (SHOW ALL TABLES)", "FROM (SHOW TABLES)", "FROM (DESCRIBE records)", "FROM (SUMMARIZE records)"),
    *("SELECT current_setting('allowed_paths')", "SELECT 'allowed_paths'.current_setting()"),
    "SELECT list_transform(['allowed_paths'], lambda x: main.current_setting(x))",
    "SELECT pg_get_viewdef(1)",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT '\ud800'",
]


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:60] or "empty")
def test_what_one_may_not_ask(store: Any, sql: str) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        query(store, sql)

    assert refused.value.exit_code == 18


def test_no_file_of_the_installation_can_be_reached(store: Any, sample: Any) -> None:
    files = sorted(path for path in sample.installation.config.parent.rglob("*") if path.is_file())
    names = {path.name for path in files}
    assert {"keyring.db", "kek.key", "log.key", "writer.key", "catalog.duckdb", "evidence.toml", "checkpoint"} <= names

    with guarded.connection(store) as connection:
        for path in files:
            for sql in (f"FROM '{path}'", f"FROM read_blob('{path}')", f"FROM read_parquet('{path}')"):
                with pytest.raises(QueryRefusedError):
                    guarded.run(connection, sql)


def test_behind_the_check_of_names_stands_a_connection_without_access(
    store: Any, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a name to slip through, the database itself would refuse what is not behind a view."""
    monkeypatch.setattr(guarded, "_sources", lambda _tree: ())
    private = sample.installation.config.parent / "evidence-private"
    behind = [f"read_blob('{private}/{name}')" for name in ("kek.key", "log.key", "keyring.db")]

    for source in (*behind, "read_text('/etc/passwd')", "glob('/*')", "read_csv('https://example.com/x.csv')"):
        with pytest.raises(QueryRefusedError):
            query(store, f"FROM {source}")


def test_a_query_that_takes_too_long_is_stopped(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "MAX_SECONDS", 0.3)
    started = time.monotonic()

    with pytest.raises(QueryRefusedError, match="stopped after"):
        query(store, "SELECT sum(range % 7) FROM range(1000000000000)")

    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(range) FROM range(1000000000)",
        # DuckDB's own limit knows nothing of these: a list of 8 GB, a text of 3 GB.
        "SELECT * FROM unnest(range(0, 1000000000))",
        "SELECT length(repeat(repeat('x', 1000000), 3000))",
    ],
)
def test_a_query_that_takes_too_much_memory_is_refused(store: Any, sql: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    with pytest.raises(QueryRefusedError, match="Out of Memory"):
        query(store, sql)

    most = max(before, (guarded.HEADROOM + 512 * 1024**2) // 1024)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= most


def test_the_process_of_a_query_takes_no_module_from_the_folder_it_runs_in(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("duckdb.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)

    assert query(store, "SELECT 1").rows() == [[1]]


def test_a_process_that_dies_has_not_answered(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(QueryRefusedError, match="its process was ended"):
        query(store, "SELECT 1")


def test_who_finds_the_catalog_in_use_is_told(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "_PATIENCE", 0.0)
    with (
        guarded.connection(store) as views,
        duckdb.connect(views.catalog),
        pytest.raises(StorageError, match="in use"),
    ):
        guarded.run(views, "SELECT 1")


def test_a_result_that_is_too_large_is_refused(store: Any) -> None:
    with pytest.raises(QueryRefusedError, match="too large"):
        query(store, "SELECT repeat('x', 1000000) FROM range(1000)")


def test_an_error_in_the_middle_of_a_result_is_refused_in_words(store: Any) -> None:
    broken = "SELECT CAST(CASE WHEN range < 50000 THEN '1' ELSE 'x' END AS INT) FROM range(100000)"

    with pytest.raises(QueryRefusedError, match="Could not convert string 'x'"):
        query(store, broken, limit=100_000)


def test_a_result_without_end_is_read_no_further_than_its_limit(store: Any) -> None:
    result = query(store, "SELECT * FROM range(100000000000)", limit=5)

    assert (result.table.num_rows, result.more) == (5, True)


@pytest.mark.parametrize("value", ["'infinity'::DATE", "'-infinity'::TIMESTAMP", "TIMESTAMPTZ '290000-01-01'"])
def test_a_time_that_python_cannot_hold_is_refused_in_words(store: Any, value: str) -> None:
    with pytest.raises(QueryRefusedError, match="out of range"):
        query(store, f"SELECT {value}").rows()


def test_odd_values_come_through(store: Any) -> None:
    ((number, missing, nested),) = query(store, "SELECT 'nan'::DOUBLE, NULL, {'a': [1, 2]}").rows()

    assert math.isnan(number)
    assert (missing, nested) == (None, {"a": [1, 2]})


def test_content_is_not_to_be_found(store: Any) -> None:
    """The answers of the sample name Leonie Aster; no column of any view does."""
    for name in NAMES:
        rows = query(store, f"FROM {name}", limit=100_000).rows()
        assert not any("Leonie" in str(row) or "HV-104417" in str(row) for row in rows), name

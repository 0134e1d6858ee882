"""The path grammar: what it accepts can be a key in a bucket and a file below a folder, and stays below it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import StorageError
from ledger.objects.base import check_path, check_prefix

near_misses = st.text(alphabet="a9./=_-\\ \n\0~%é", max_size=30)


@given(near_misses | st.text())
def test_an_accepted_path_stays_below_its_folder_and_means_one_object(path: str) -> None:
    try:
        check_path(path)
    except StorageError:
        return
    pure = PurePosixPath(path)
    assert not pure.is_absolute()
    assert str(pure) == path
    assert path.isascii()
    assert path.isprintable()
    assert not any(part.startswith(".") for part in pure.parts)


segments = st.text(alphabet="abzAZ09_=+-.", min_size=1, max_size=20).filter(lambda text: text[0] != ".")


@given(st.lists(segments, min_size=1, max_size=8))
def test_paths_of_the_grammar_are_accepted(parts: list[str]) -> None:
    check_path("/".join(parts))
    check_prefix("/".join(parts) + "/")


@pytest.mark.parametrize(
    "path",
    [
        "evidence.json",
        "ledger/commit/000/000/042",
        "ledger/checkpoint",
        "ledger/checkpoints/70000",
        "ledger/anchor/70000/rfc3161-9f2c",
        "ledger/tile/0/x001/x234/067.p/112",
        "ledger/tile/entries/000.p/3",
        "ledger/blob/" + "ab" * 32,
        "events/date=2026-11-20/1f.parquet",
        "content/date=2026-11-20/1f.parquet",
    ],
)
def test_the_layout_of_a_store_follows_the_grammar(path: str) -> None:
    check_path(path)

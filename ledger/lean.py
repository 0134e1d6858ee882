"""Processes that start often, and need no pandas, do without it."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def without_pandas() -> None:
    """From here on pandas counts as not installed in this process, unless it is loaded already.

    pyarrow imports it, where it is there, to ask whether a plain list is one of its objects: a fifth of a second.
    Not for the app, which needs it.
    """
    if not any(isinstance(finder, _NoPandas) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoPandas())

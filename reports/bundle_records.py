"""The records of a bundle: the population as a table of ids, lines byte for byte, and what is shown beside them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import BinaryIO, Final, Self

from reports.bundle_writer import BundleWriter
from reports.selecting import Part

HEADER: Final = b"partition,row,record,stratum\n"


def population_csv(parts: Iterable[Part]) -> bytes:
    """``population.csv``: every row of the selection with its id, in the order of the log."""
    rows = [
        f"{part.entry.index},{row},{record.hex()},\n"
        for part in parts
        for row, record in zip(part.rows, part.ids, strict=True)
    ]
    return HEADER + "".join(rows).encode()


class Lines:
    """Files of lines that grow together, partition by partition, on disk until an archive takes them one by one."""

    NAMES: Final = ("records.jsonl", "content.jsonl", "context.csv", "context.jsonl")

    def __init__(self) -> None:
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        self._open = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def file(self, name: str) -> BinaryIO:
        """One of the files, made when it is first asked for."""
        if name not in self._files:
            self._files[name] = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        return self._files[name]

    def take(self, part: Part, lines: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """The shown lines of a partition."""
        if part.rows:
            self.file("records.jsonl").writelines(lines[row] + b"\n" for row in part.rows)
        if part.context:
            rows = sorted(part.context)
            self.file("context.jsonl").writelines(lines[row] + b"\n" for row in rows)
            table = self.file("context.csv")
            table.write(b"" if table.tell() else HEADER)
            index = part.entry.index
            table.writelines(f"{index},{row},{leaves[row].hex()},{part.context[row]}\n".encode() for row in rows)

    def add_to(self, writer: BundleWriter) -> None:
        """All files as payload of a bundle."""
        for name in self.NAMES:
            if name in self._files:
                self._files[name].seek(0)
                with writer.open(name) as out:
                    shutil.copyfileobj(self._files[name], out, 1 << 20)

"""Archives made to harm whoever opens them. verify.py refuses each as tampered (1), without reading further.

What is merely too large to check is unverifiable (3), since nothing is known of it.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reports.bundles import Bank, Verdict, unzip

Audit = Callable[..., Verdict]
Make = Callable[[bytes], bytes]

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def stored(files: Iterator[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for info, data in files:
            archive.writestr(info, data)
    return out.getvalue()


def infos(bundle: bytes) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    for name, data in unzip(bundle).items():
        yield zipfile.ZipInfo(name), data


def with_name(name: str) -> Make:
    def make(bundle: bytes) -> bytes:
        return stored(iter([*infos(bundle), (zipfile.ZipInfo(name), b"planted")]))

    return make


def with_raw_name(name: bytes) -> Make:
    """A name that zipfile would not write: put in place of one of the same length, in both headers."""

    def make(bundle: bytes) -> bytes:
        return with_name("X" * len(name))(bundle).replace(b"X" * len(name), name)

    return make


def twice(bundle: bytes) -> bytes:
    """Two files of one name, which readers resolve differently."""
    data = with_name("data/log.vkeX")(bundle)
    return data.replace(b"data/log.vkeX", b"data/log.vkey")


def link(bundle: bytes) -> bytes:
    info = zipfile.ZipInfo("data/consistency.json")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return stored(iter([*infos(bundle), (info, b"/etc/passwd")]))


def patched(signature: bytes, offset: int, form: str, value: int, *, also: tuple[bytes, int] | None = None) -> Make:
    """A field of the first header of a kind, changed."""

    def make(bundle: bytes) -> bytes:
        data = bytearray(stored(infos(bundle)))
        struct.pack_into(form, data, data.index(signature) + offset, value)
        if also:
            struct.pack_into(form, data, data.index(also[0]) + also[1], value)
        return bytes(data)

    return make


def overlapping(bundle: bytes) -> bytes:
    """Two directory records that point to one file's data (the quine bombs of D. Fifield are made so)."""
    data = bytearray(stored(infos(bundle)))
    first = data.index(CENTRAL)
    second = data.index(CENTRAL, first + 4)
    struct.pack_into("<L", data, second + 42, struct.unpack_from("<L", data, first + 42)[0])
    return bytes(data)


def hidden_between(bundle: bytes) -> bytes:
    """Bytes between two files, which no reader of the directory sees."""
    data = stored(infos(bundle))
    second = data.index(LOCAL, 4)
    return shifted(data[:second] + b"hidden" + data[second:], 6, second)


def shifted(data: bytes, by: int, start: int) -> bytes:
    """Offsets brought into line after bytes were put in at ``start``."""
    changed = bytearray(data)
    at = data.index(CENTRAL)
    end = data.rindex(END)
    struct.pack_into("<L", changed, end + 16, at)
    while changed[at : at + 4] == CENTRAL:
        offset = struct.unpack_from("<L", changed, at + 42)[0]
        if offset >= start:
            struct.pack_into("<L", changed, at + 42, offset + by)
        name, extra, comment = struct.unpack_from("<3H", changed, at + 28)
        at += 46 + name + extra + comment
    return bytes(changed)


def fewer_in_directory(bundle: bytes) -> bytes:
    """The end record counts one file fewer than the directory lists."""
    data = bytearray(stored(infos(bundle)))
    end = data.rindex(END)
    count = struct.unpack_from("<H", data, end + 8)[0]
    struct.pack_into("<2H", data, end + 8, count - 1, count - 1)
    return bytes(data)


def zip64(bundle: bytes) -> bytes:
    """A zip64 locator before the end record, which sends some readers to another directory."""
    data = stored(infos(bundle))
    end = data.rindex(END)
    return data[:end] + b"PK\x06\x07" + bytes(16) + data[end:]


def bomb(bundle: bytes) -> bytes:
    """A file that says it unpacks to more than deflate can give."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", b"\0" * 100_000)
    data = bytearray(out.getvalue())
    struct.pack_into("<L", data, data.index(CENTRAL) + 24, 3_000_000_000)
    return bytes(data)


HOSTILE: dict[str, Make] = {
    "absolute path": with_name("/etc/cron.d/evidence"),
    "leads out": with_name("../outside.txt"),
    "leads out, deep": with_name("data/content/../../outside.txt"),
    "leads out of its folder": with_name("data/../verify.py"),
    "payload beside data": with_name("checkpoint"),
    "a number with leading zeros": with_name("data/proofs/007.tlog-proof"),
    "backslash": with_raw_name(b"..\\outside.txt"),
    "drive letter": with_raw_name(b"C:outside.txt"),
    "folder": with_name("content/"),
    "control character": with_raw_name(b"READ\x1bME.txt"),
    "not ASCII": with_name("README\u202etxt.exe"),
    "ends in NUL": with_raw_name(b"README.txt\0.exe"),
    "empty name": with_name(""),
    "unknown name": with_name("setup.exe"),
    "another case of a name": with_name("readme.txt"),
    "twice": twice,
    "symbolic link": link,
    "encrypted": patched(CENTRAL, 8, "<H", 0x1, also=(LOCAL, 6)),
    "strong encryption": patched(CENTRAL, 8, "<H", 0x41, also=(LOCAL, 6)),
    "packed as bzip2": patched(CENTRAL, 10, "<H", 12, also=(LOCAL, 8)),
    "stored, and says it shrinks": patched(CENTRAL, 24, "<L", 1 << 30),
    "expands beyond deflate": bomb,
    "another name in its own header": patched(LOCAL, 30, "<B", ord("X")),
    "other flags in its own header": patched(LOCAL, 6, "<H", 0x800),
    "extra field in its own header": patched(LOCAL, 28, "<H", 4),
    "directory points elsewhere": patched(CENTRAL, 42, "<L", 7),
    "overlapping files": overlapping,
    "bytes hidden between files": hidden_between,
    "bytes before": lambda bundle: b"#!/bin/sh\n" + bundle,
    "bytes after": lambda bundle: bundle + b"\0",
    "comment": lambda bundle: bundle[:-2] + struct.pack("<H", 5) + b"hello",
    "end record miscounts": fewer_in_directory,
    "several disks": patched(END, 4, "<H", 1),
    "zip64": zip64,
    "no zip": lambda bundle: b"These are not the files that you look for." * 10,
    "only an end": lambda bundle: END + bytes(17),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(bank: Bank, session_bundle: bytes, audit: Audit, name: str) -> None:
    archive = HOSTILE[name](session_bundle)
    assert archive != session_bundle

    result = audit(archive, "--key", bank.log_vkey)

    assert (result.code, result.output["verdict"]) == (1, "tampered")
    assert [finding["object"] for finding in result.output["findings"]] == ["bundle"]
    assert result.output["checked"] == {}, "nothing in it is read"


def test_a_stored_archive_without_tricks_is_fine(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    """The archives above are refused for their trick, not for how they were made."""
    assert audit(stored(infos(session_bundle)), "--key", bank.log_vkey).code == 0


def test_what_unpacks_to_more_than_the_limit_is_unverifiable(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    result = audit(session_bundle, "--key", bank.log_vkey, "--max-size", "1000")

    assert (result.code, result.verdicts) == (3, {"unverifiable"})
    assert "--max-size" in result.reasons


def test_a_file_that_unpacks_to_more_than_it_says_is_found(bank: Bank, session_bundle: bytes, audit: Audit) -> None:
    data = bytearray(session_bundle)
    first = data.index(CENTRAL)
    struct.pack_into("<L", data, first + 24, 10)

    assert audit(bytes(data), "--key", bank.log_vkey).code == 1


@pytest.mark.parametrize("trick", ["link to a file", "link to a folder", "pipe", "unknown file"])
def test_a_hostile_folder_is_refused(
    bank: Bank, session_bundle: bytes, audit: Audit, tmp_path: Path, trick: str
) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(io.BytesIO(session_bundle)) as archive:
        archive.extractall(folder)
    if trick == "link to a file":
        (folder / "data" / "checkpoint").rename(tmp_path / "checkpoint")
        (folder / "data" / "checkpoint").symlink_to(tmp_path / "checkpoint")
    elif trick == "link to a folder":
        (folder / "data" / "content").symlink_to(tmp_path, target_is_directory=True)
    elif trick == "pipe":
        os.mkfifo(folder / "data" / "consistency.json")
    else:
        (folder / "setup.exe").write_bytes(b"MZ")

    assert audit(folder, "--key", bank.log_vkey).code == 1


def test_deeply_nested_json_is_refused_and_does_not_exhaust_the_stack(
    bank: Bank, session_bundle: bytes, audit: Audit
) -> None:
    files = {**unzip(session_bundle), "data/bundle.json": b'{"_":' + b"[" * 60_000 + b"]" * 60_000 + b"}"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)

    result = audit(out.getvalue(), "--key", bank.log_vkey)

    assert (result.code, "data/bundle.json: is malformed" in result.reasons) == (1, True)


@pytest.mark.parametrize("hidden", [b"x", b"\0" * 70_000])
def test_bytes_behind_a_deflated_file_within_its_place_are_found(
    bank: Bank, session_bundle: bytes, audit: Audit, hidden: bytes
) -> None:
    """A reader that stops where deflate ends never sees them; size and sum of the file are right."""
    names = [zipfile.ZipInfo(name) for name in unzip(session_bundle)]
    first = names[0].filename
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info in names:
            info.compress_type = zipfile.ZIP_DEFLATED if info.filename == first else zipfile.ZIP_STORED
            archive.writestr(info, unzip(session_bundle)[info.filename])
    data = out.getvalue()
    second = data.index(LOCAL, 4)
    changed = bytearray(shifted(data[:second] + hidden + data[second:], len(hidden), second))
    for at in (changed.index(LOCAL) + 18, changed.index(CENTRAL) + 20):
        struct.pack_into("<L", changed, at, struct.unpack_from("<L", changed, at)[0] + len(hidden))
    assert unzip(bytes(changed)) == unzip(session_bundle), "zipfile sees nothing"

    result = audit(bytes(changed), "--key", bank.log_vkey)

    assert (result.code, f"{first}: cannot be read" in result.reasons) == (1, True), result.reasons

"""zstd frames of content segments, with a dictionary that ships with the product.

The dictionaries are trained on the product's own sample data only: one trained on content would be content. A frame
names its dictionary by the 32-bit ID in its header (RFC 8878 section 3.1.1.1.3); files are named by their SHA-256.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from pathlib import Path
from typing import Final

import zstandard

from ledger.errors import FormatError, UnverifiableError

LEVEL: Final = 3
_FOLDER: Final = Path(__file__).parent / "dictionaries"
NEWEST: Final = 1057842217
DICTIONARIES: Final = {NEWEST: "60aad0c8ad67ec0d397b2c4a395feddc789a4cc4c1894c2f75b0bfe0c689b920"}
"""Every dictionary that a stored segment may need: its ID and the SHA-256 of its file."""

_kept = threading.local()
"""Compressors and decompressors hold state, so each thread has its own."""


@cache
def dictionary(number: int) -> zstandard.ZstdCompressionDict:
    """A shipped dictionary. Raises UnverifiableError for an ID that this release does not have."""
    name = DICTIONARIES.get(number)
    if name is None:
        raise UnverifiableError(f"no zstd dictionary {number} in this release", hint="Use a newer release.")
    data = (_FOLDER / f"{name}.zdict").read_bytes()
    if hashlib.sha256(data).hexdigest() != name:
        raise FormatError(f"the zstd dictionary {name} of this installation is damaged", hint="Install it again.")
    return zstandard.ZstdCompressionDict(data)


def compress(data: bytes) -> bytes:
    """One frame that states its content's size and its dictionary."""
    compressor = getattr(_kept, "compressor", None)
    if compressor is None:
        compressor = _kept.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary(NEWEST))
    frame: bytes = compressor.compress(data)
    return frame


def decompress(frame: bytes, smallest: int, largest: int) -> bytes:
    """The content of one frame. Raises FormatError for a bad frame, or one whose size is outside the bounds."""
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if not smallest <= parameters.content_size <= largest:
            raise FormatError("a compressed frame states an impossible size")
        data: bytes = _decompressor(parameters.dict_id).decompress(frame, max_output_size=largest)
    except zstandard.ZstdError:
        raise FormatError("a content segment is no zstd frame") from None
    return data


def _decompressor(number: int) -> zstandard.ZstdDecompressor:
    known: dict[int, zstandard.ZstdDecompressor] | None = getattr(_kept, "decompressors", None)
    if known is None:
        known = _kept.decompressors = {}
    if number not in known:
        known[number] = zstandard.ZstdDecompressor(dict_data=dictionary(number) if number else None)
    return known[number]

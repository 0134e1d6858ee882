"""Signed notes: published notes and keys, round trips, and refusal of every altered byte."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import EvidenceError, FormatError, TamperedError, UnverifiableError, UsageError
from ledger.notes import MAX_NOTE, Signer, Verifier, assemble_note, open_note, parse_note, sign_note

# Origin: C2SP signed-note.md.
SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = """\
This is an example message.

\N{EM DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()
# Origin: golang.org/x/mod/sumdb/note, note_test.go.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
# Origin: torchwood, a sigsum log's key under a note name.
SIGSUM_NAME = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"

SIGNER = Signer("example.com/log", bytes(range(32)))
OTHER = Signer("example.com/other", bytes(32))
NOTE = sign_note("first\n\nsecond\n", SIGNER)

CONTROLS = "".join(map(chr, range(32)))
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+"), min_size=1, max_size=30
)
seeds = st.binary(min_size=32, max_size=32)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS)).map(lambda t: t + "\n")
multiline = st.lists(texts, min_size=1, max_size=5).map("".join)


class TestPublished:
    def test_the_note_of_the_specification_opens(self) -> None:
        verifier = Verifier.from_vkey(SPEC_VKEY)
        opened = open_note(SPEC_NOTE, [verifier])
        assert opened.text == b"This is an example message.\n"
        assert opened.verified == (verifier,)

    def test_the_key_of_go_is_read_as_published(self) -> None:
        verifier = Verifier.from_vkey(GO_VKEY)
        assert (verifier.name, verifier.key_id.hex(), verifier.vkey) == ("PeterNeumann", "c74f20a3", GO_VKEY)

    def test_the_key_id_of_torchwood(self) -> None:
        assert Verifier(SIGSUM_NAME, bytes.fromhex(SIGSUM_KEY)).key_id.hex() == "5202289b"

    def test_the_published_private_key_makes_its_public_key(self, tessera: Any) -> None:
        signer = Signer.from_skey(tessera.skey)
        assert (signer.vkey, signer.skey()) == (tessera.vkey, tessera.skey)

    def test_the_published_checkpoint_is_signed_to_the_byte(self, tessera: Any) -> None:
        text = parse_note(tessera.checkpoint).text
        assert sign_note(text, Signer.from_skey(tessera.skey)) == tessera.checkpoint


class TestRoundTrip:
    @given(names, seeds)
    def test_keys(self, name: str, seed: bytes) -> None:
        signer = Signer(name, seed)
        assert Signer.from_skey(signer.skey()).vkey == signer.vkey
        assert Verifier.from_vkey(signer.vkey) == signer.verifier

    @given(multiline, names, seeds)
    def test_notes(self, text: str, name: str, seed: bytes) -> None:
        signer = Signer(name, seed)
        opened = open_note(sign_note(text, signer), [signer.verifier])
        assert (opened.text, opened.verified) == (text.encode(), (signer.verifier,))

    def test_a_generated_key_is_new(self) -> None:
        assert Signer.generate("a").vkey != Signer.generate("a").vkey

    def test_a_text_may_look_like_a_note(self) -> None:
        """The last empty line splits, so a note can be the text of a note."""
        nested = sign_note(NOTE, OTHER)
        assert parse_note(nested).text == NOTE
        with pytest.raises(UnverifiableError):
            open_note(nested, [SIGNER.verifier])

    def test_a_private_key_is_not_shown(self) -> None:
        assert SIGNER.skey().split("+")[-1] not in repr(SIGNER)


class TestOpening:
    def test_unknown_signatures_are_ignored(self) -> None:
        assert open_note(sign_note("text\n", OTHER, SIGNER), [SIGNER.verifier]).verified == (SIGNER.verifier,)

    def test_no_known_key_is_unverifiable_not_tampered(self) -> None:
        with pytest.raises(UnverifiableError, match=r"signed by: example.com/log"):
            open_note(NOTE, [OTHER.verifier])
        with pytest.raises(UnverifiableError):
            open_note(NOTE, [])

    def test_a_known_key_of_the_same_name_or_the_same_id_only_is_unknown(self) -> None:
        same_name = Signer(SIGNER.name, bytes(32))
        with pytest.raises(UnverifiableError):
            open_note(NOTE, [same_name.verifier])
        renamed = NOTE.replace(b" example.com/log ", b" example.com/lag ")
        with pytest.raises(UnverifiableError):
            open_note(renamed, [SIGNER.verifier])

    def test_one_wrong_signature_of_a_known_key_rejects_the_note(self) -> None:
        foreign = SIGNER.sign("another text\n")
        note = assemble_note(b"text\n", OTHER.sign("text\n"), foreign)
        with pytest.raises(TamperedError, match="example.com/log"):
            open_note(note, [OTHER.verifier, SIGNER.verifier])
        assert open_note(note, [OTHER.verifier]).verified == (OTHER.verifier,)

    def test_a_signature_of_another_length_is_wrong(self) -> None:
        line = base64.b64encode(SIGNER.key_id + bytes(63)).decode()
        note = f"text\n\n\N{EM DASH} {SIGNER.name} {line}\n".encode()
        with pytest.raises(TamperedError):
            open_note(note, [SIGNER.verifier])

    def test_the_same_key_twice_counts_once(self) -> None:
        note = assemble_note(b"text\n", SIGNER.sign("text\n"), SIGNER.sign("text\n"))
        assert open_note(note, [SIGNER.verifier, SIGNER.verifier]).verified == (SIGNER.verifier,)

    def test_two_keys_of_one_name_and_id_are_a_mistake_of_the_caller(self) -> None:
        twin = Verifier(OTHER.name, OTHER.verifier.public_key)
        twin.name, twin.key_id = SIGNER.name, SIGNER.key_id
        with pytest.raises(UsageError):
            open_note(NOTE, [SIGNER.verifier, twin])

    @pytest.mark.parametrize("count", [1, 16, 64])
    def test_up_to_64_signatures_are_read(self, count: int) -> None:
        signers = [Signer(f"witness.example/{i}", bytes([i]) * 32) for i in range(count)]
        opened = open_note(sign_note("text\n", *signers), [signer.verifier for signer in signers])
        assert len(opened.verified) == count

    def test_more_are_refused(self) -> None:
        with pytest.raises(FormatError, match="65 signatures"):
            sign_note("text\n", *[SIGNER] * 65)


class TestAltered:
    @pytest.mark.parametrize("position", range(len(NOTE)))
    def test_every_byte_mangled(self, position: int) -> None:
        for change in (0x01, 0x20, 0x80, 0xFF):
            note = bytearray(NOTE)
            note[position] ^= change
            with pytest.raises((FormatError, TamperedError, UnverifiableError)):
                open_note(bytes(note), [SIGNER.verifier])

    @given(st.integers(0, len(NOTE)), st.integers(0, len(NOTE)))
    def test_every_substring_removed(self, start: int, end: int) -> None:
        note = NOTE[: min(start, end)] + NOTE[max(start, end) :]
        if note != NOTE:
            with pytest.raises((FormatError, TamperedError, UnverifiableError)):
                open_note(note, [SIGNER.verifier])

    @given(st.binary(max_size=400))
    def test_any_bytes_are_refused_or_read_exactly(self, data: bytes) -> None:
        try:
            note = parse_note(data)
        except FormatError:
            return
        assert note.text + b"\n" + b"".join(each.line() for each in note.signatures) == data

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\n\n",
            b"text\n",
            b"text\n\n",
            b"text\n\n\xe2\x80\x94 name AAAAAAA=",
            b"text\n\n- name AAAAAAA=\n",
            b"text\n\n\xe2\x80\x94 name\n",
            b"text\n\n\xe2\x80\x94 name AAAA\n",
            b"text\n\n\xe2\x80\x94 name AAAAAA==\n",
            b"text\n\n\xe2\x80\x94 name AAAAAAB=\n",
            b"text\n\n\xe2\x80\x94 name AAAA AAA=\n",
            b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",
            b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
            b"text\n\n\xe2\x80\x94 na\xc2\xa0me AAAAAAA=\n",
            b"text\r\n\n\xe2\x80\x94 name AAAAAAA=\n",
            b"te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
            b"text\n\n\xe2\x80\x94 name AAAAAAA=\n\xff\n",
        ],
    )
    def test_malformed_notes(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            parse_note(data)

    def test_the_size_is_bounded(self) -> None:
        line = SIGNER.sign("\n")
        filler = b"a" * (MAX_NOTE - len(line) - 2) + b"\n"
        assert parse_note(filler + b"\n" + line).text == filler
        with pytest.raises(FormatError, match="longer"):
            parse_note(b"a" + filler + b"\n" + line)

    @pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "\ud800\n", b"\xff\n", b"\x00\n"])
    def test_texts_that_no_note_can_have(self, text: str | bytes) -> None:
        with pytest.raises(FormatError):
            sign_note(text, SIGNER)

    def test_a_note_needs_a_signature(self) -> None:
        with pytest.raises(FormatError):
            sign_note("text\n")

    def test_lines_made_elsewhere_must_be_signature_lines(self) -> None:
        with pytest.raises(FormatError):
            assemble_note(b"text\n", b"more text\n\n", SIGNER.sign("text\n"))


class TestAlteredKeys:
    @pytest.mark.parametrize("key", [GO_VKEY, SIGNER.skey()])
    def test_every_byte_mangled(self, key: str) -> None:
        read: Any = Signer.from_skey if key.startswith("PRIVATE") else Verifier.from_vkey
        assert read(key)
        for position in range(len(key)):
            for replacement in "+ aZ0=\n\u00e9\ud800":
                mangled = key[:position] + replacement + key[position + 1 :]
                if mangled != key:
                    with pytest.raises(FormatError):
                        read(mangled)

    @given(st.text())
    def test_any_text_is_refused_as_a_key(self, text: str) -> None:
        for read in (Signer.from_skey, Verifier.from_vkey):
            with pytest.raises(EvidenceError):
                read(text)

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u2003b", "\x00", "\ud800"])
    def test_names_that_no_note_can_hold(self, name: str) -> None:
        with pytest.raises(FormatError):
            Signer(name, bytes(32))

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_keys_of_another_length(self, length: int) -> None:
        with pytest.raises(FormatError):
            Signer("name", bytes(length))
        with pytest.raises(FormatError):
            Verifier("name", bytes(length))

    def test_keys_of_another_type_are_refused(self) -> None:
        cosigner = "witness.example/w1+0ad7d35e+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
        with pytest.raises(FormatError, match="type 0x04"):
            Verifier.from_vkey(cosigner)

    def test_a_message_never_shows_a_private_key(self) -> None:
        wrong_id = SIGNER.skey().replace(SIGNER.key_id.hex(), "00000000")
        with pytest.raises(FormatError) as caught:
            Signer.from_skey(wrong_id)
        assert SIGNER.skey().split("+")[-1] not in str(caught.value)

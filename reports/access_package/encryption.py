"""A package that only its recipient can open: the age format (C2SP age), by a passphrase or for public keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ledger.errors import UsageError

MIN_PASSPHRASE: Final = 12
"""Characters: below that a guess is too cheap, however slow each one is made."""


def encryptor(passphrase_file: Path | None, recipients: Sequence[str]) -> Encryptor | None:
    """What encrypts by these options; None where neither is given. Raises UsageError for what is no key."""
    if passphrase_file is not None and recipients:
        raise UsageError("a package is encrypted to a passphrase or to recipients, not to both")
    if passphrase_file is not None:
        return Encryptor(passphrase=_passphrase(passphrase_file))
    return Encryptor(recipients=[_recipient(text) for text in recipients]) if recipients else None


class Encryptor:
    """Encrypts to a passphrase, or to public keys: any of their private keys opens it."""

    def __init__(self, passphrase: str | None = None, recipients: Sequence[Any] = ()) -> None:
        self._passphrase = passphrase
        self._recipients = list(recipients)
        self.method = "recipients" if passphrase is None else "passphrase"

    def encrypt(self, data: bytes) -> bytes:
        """An age file."""
        import pyrage

        if self._passphrase is not None:
            sealed: bytes = pyrage.passphrase.encrypt(data, self._passphrase)
        else:
            sealed = pyrage.encrypt(data, self._recipients)
        return sealed


def _passphrase(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8") from None
    if len(text) < MIN_PASSPHRASE or "\n" in text:
        raise UsageError(f"a passphrase is one line of at least {MIN_PASSPHRASE} characters")
    return text


def _recipient(text: str) -> Any:
    """A public key: ``age1…`` (X25519) or ``ssh-ed25519 …``, or a file that holds one."""
    import pyrage

    text = text.strip()
    if not text.startswith(("age1", "ssh-")):
        try:
            text = Path(text).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError):
            raise UsageError("a recipient is age1…, ssh-ed25519 …, or a file that holds one of these") from None
    try:
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        if text.startswith("ssh-ed25519 "):
            return pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise UsageError("this is no public key that a package can be encrypted to") from None
    raise UsageError("a recipient is age1…, ssh-ed25519 …, or a file that holds one of these")

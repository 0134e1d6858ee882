"""What the keyring asks of a key-encryption key, whoever holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Retired(NamedTuple):
    """From when nothing opens what only a retired key wrapped.

    ``depends_on``: ``operator`` where that holds only once a person has taken the key away, which nothing here can do.
    """

    unreadable_at: str
    depends_on: str | None = None


class KeyEncryptionKey(Protocol):
    """Wraps 32-byte keys. Implementations hold or reach the KEK; they never give it out.

    ``store`` is the id of the store whose keyring this is; what is wrapped is bound to it where the provider can.
    A rotation is ``renew``, then wrapping under the new key, then ``retire``. In between both keys unwrap.
    """

    def wrap(self, key: bytes, store: str) -> bytes:
        """The key wrapped (RFC 3394 or the provider's own form)."""

    def unwrap(self, wrapped: bytes, store: str) -> bytes:
        """The key again. Raises KeyringError if this KEK did not wrap it."""

    def renew(self, newest: bytes) -> None:
        """See to it that from now on another key wraps than the one that made ``newest``. Safe to repeat.

        Raises ConfigError where only a person can bring another key.
        """

    def retire(self, newest: bytes, older: Sequence[bytes], days: int) -> Retired:
        """Destroy every key but the one that made ``newest``; ``older`` are what the others made. Safe to repeat.

        ``days``: how long a provider that destroys nothing at once is to wait. Raises ConfigError where it is not
        certain which key to keep.
        """

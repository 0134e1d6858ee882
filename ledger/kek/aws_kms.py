"""AWS KMS: the key never leaves it. Bound to the store by its encryption context; retries are bounded.

Wrapped is u16 length || ARN of the KMS key || ciphertext: an alias that moves on does not lose what it wrapped before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ledger.clock import utc_now
from ledger.errors import ConfigError, KeyringError
from ledger.kek.base import Retired

_CONFIG: Final = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_extra="evidence",
)
_ALIAS: Final = "alias/"


class KmsKey:
    """A symmetric KMS key, by its id, ARN or alias; an alias is what can be rotated. Credentials are boto's own."""

    def __init__(self, key: str) -> None:
        if not key:
            raise ConfigError("aws-kms: names no key", hint="For example aws-kms:alias/evidence.")
        self._key = key
        self._target: str | None = None
        try:
            self._client = botocore.session.get_session().create_client("kms", config=_CONFIG)
        except BotoCoreError as error:
            raise ConfigError(
                f"AWS KMS cannot be used ({type(error).__name__})",
                hint="Set AWS_REGION and credentials as for any AWS tool.",
            ) from None

    def wrap(self, key: bytes, store: str) -> bytes:
        """Encrypted by KMS under the key that the alias leads to."""
        # An alias that was moved a moment ago may lead to the key before it for a while.
        answer = self._ask("encrypt", KeyId=self._arn(), Plaintext=key, EncryptionContext={"store": store})
        arn = str(answer["KeyId"]).encode()
        return len(arn).to_bytes(2, "big") + arn + bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, store: str) -> bytes:
        """Decrypted by the KMS key that is named in it, of the account of the configured one alone."""
        arn, ciphertext = _parts(wrapped)
        if _owner(arn) != _owner(self._arn()):
            raise KeyringError("the keyring is wrapped by a key of another AWS account or region")
        answer = self._ask("decrypt", KeyId=arn, CiphertextBlob=ciphertext, EncryptionContext={"store": store})
        return bytes(answer["Plaintext"])

    def renew(self, newest: bytes) -> None:
        """Make a KMS key with the old one's policy and tags, and let the alias lead to it; or take the one it leads to.

        Dying between the two leaves a KMS key that wraps nothing.
        """
        old = _parts(newest)[0]
        self._target = None
        if self._arn() != old:
            return
        alias = self._key.rpartition(":")[2]
        if not alias.startswith(_ALIAS):
            raise ConfigError(
                "a KMS key that is not named by an alias cannot be rotated",
                hint="Give the key an alias, and name that in the settings: aws-kms:alias/NAME.",
            )
        policy = self._ask("get_key_policy", KeyId=old, PolicyName="default")["Policy"]
        tags = self._ask("list_resource_tags", KeyId=old).get("Tags", [])
        made = self._ask("create_key", Description="evidence keyring", Policy=policy, Tags=tags)["KeyMetadata"]
        self._ask("update_alias", AliasName=alias, TargetKeyId=made["KeyId"])
        self._target = str(made["Arn"])

    def retire(self, newest: bytes, older: Sequence[bytes], days: int) -> Retired:
        """Schedule the deletion of the KMS keys of older epochs: KMS waits 7 to 30 days, and then it is for good."""
        kept = _parts(newest)[0]
        gone = {_parts(wrapped)[0] for wrapped in older}
        if kept in gone:
            raise ConfigError("the newest epoch is under the same KMS key as an older one, so none is destroyed")
        return Retired(max([self._deleted(arn, days) for arn in sorted(gone)], default=utc_now()))

    def _deleted(self, arn: str, days: int) -> str:
        """When a KMS key is deleted, which is scheduled if it was not."""
        key = arn.rpartition("/")[2]
        try:
            known = self._client.describe_key(KeyId=key)["KeyMetadata"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                return utc_now()
            raise _failed("describe_key", error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            raise _failed("describe_key", type(error).__name__) from None
        if known["KeyState"] != "PendingDeletion":
            known = self._ask("schedule_key_deletion", KeyId=key, PendingWindowInDays=days)
        return _time(known["DeletionDate"])

    def _arn(self) -> str:
        """The KMS key that wraps now."""
        if self._target is None:
            self._target = str(self._ask("describe_key", KeyId=self._key)["KeyMetadata"]["Arn"])
        return self._target

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One call. Raises KeyringError with the error's code alone: a message can hold names and requests."""
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise _failed(operation, error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            raise _failed(operation, type(error).__name__) from None
        return answer


def _failed(operation: str, code: str) -> KeyringError:
    return KeyringError(
        f"AWS KMS refused or failed ({operation}: {code})",
        hint="Check region, credentials, and that they may use the KMS key.",
    )


def _parts(wrapped: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(wrapped[:2], "big")
    try:
        arn = wrapped[2:end].decode("ascii")
    except UnicodeDecodeError:
        arn = ""
    if not arn.startswith("arn:") or len(wrapped) <= end:
        raise KeyringError("the keyring was not wrapped by AWS KMS")
    return arn, wrapped[end:]


def _owner(arn: str) -> list[str]:
    """Partition, service, region and account."""
    return arn.split(":")[1:5]


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

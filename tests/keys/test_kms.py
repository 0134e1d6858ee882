"""AWS KMS as the key-encryption key: moto's, over HTTP. A rotation makes a KMS key and schedules the old one's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from ledger import kek
from ledger.errors import ConfigError, KeyringError
from ledger.key_management import rotation
from ledger.verify import Verdict

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STORE, OTHER = "0" * 32, "1" * 32
ALIAS = "aws-kms:alias/evidence"
KEY = bytes(range(32))
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}'


@pytest.fixture(scope="module")
def endpoint(moto_app: WSGIApplication, serve_wsgi: Callable[[WSGIApplication], str]) -> str:
    return serve_wsgi(moto_app)


@pytest.fixture
def kms(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a KMS with one key, which the alias leads to."""
    for name, value in (
        ("AWS_ENDPOINT_URL_KMS", endpoint),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
    ):
        monkeypatch.setenv(name, value)
    client = botocore.session.get_session().create_client("kms")
    made = client.create_key(Policy=POLICY, Tags=[{"TagKey": "team", "TagValue": "audit"}])["KeyMetadata"]
    client.create_alias(AliasName="alias/evidence", TargetKeyId=made["KeyId"])
    yield client
    client.delete_alias(AliasName="alias/evidence")
    client.close()


def target(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.describe_key(KeyId="alias/evidence")["KeyMetadata"]
    return found


def test_what_it_wraps_it_unwraps(kms: Any) -> None:
    provider = kek.open_kek(ALIAS)
    wrapped = provider.wrap(KEY, STORE)
    assert KEY not in wrapped
    assert kek.open_kek(ALIAS).unwrap(wrapped, STORE) == KEY
    assert kek.open_kek(f"aws-kms:{target(kms)['Arn']}").unwrap(wrapped, STORE) == KEY


def test_it_is_bound_to_the_store(kms: Any) -> None:
    provider = kek.open_kek(ALIAS)
    with pytest.raises(KeyringError, match="decrypt"):
        provider.unwrap(provider.wrap(KEY, STORE), OTHER)


@pytest.mark.parametrize("altered", [b"", b"\0", b"\0\5arn:x", b"\xff\xff", b"\0\3\xff\xff\xffx", bytes(40)])
def test_what_it_did_not_wrap(kms: Any, altered: bytes) -> None:
    with pytest.raises(KeyringError, match="not wrapped by AWS KMS"):
        kek.open_kek(ALIAS).unwrap(altered, STORE)


def test_a_key_of_another_account_is_not_asked(kms: Any) -> None:
    """Who can write to the keyring's database could else bring an epoch whose key is known to them."""
    arn = b"arn:aws:kms:eu-central-1:999999999999:key/1234"
    with pytest.raises(KeyringError, match="another AWS account"):
        kek.open_kek(ALIAS).unwrap(len(arn).to_bytes(2, "big") + arn + b"ciphertext", STORE)


def test_rotation_makes_a_new_key_and_schedules_the_old_ones_end(
    kms: Any, new_installation: Callable[..., Any], logs: list[Path], tmp_path: Path
) -> None:
    installation = new_installation(tmp_path / "installation", kek=ALIAS)
    assert not list((tmp_path / "installation").rglob("kek.key")), "no other key-encryption key lies about"
    installation.ingest(*logs)
    old = target(kms)
    with installation.open() as long_lived, installation.open() as store:
        person = store.keyring.lookup("HV-102949")
        done = rotation.rotate(store, days=7)
        store.publish()
        assert person == store.keyring.lookup("HV-102949") == long_lived.keyring.lookup("HV-102949")
        assert long_lived.reference("email", "new@example.org")
    new = target(kms)
    assert new["Arn"] != old["Arn"]
    assert kms.get_key_policy(KeyId=new["KeyId"], PolicyName="default")["Policy"] == POLICY
    assert kms.list_resource_tags(KeyId=new["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "audit"}]
    ending = kms.describe_key(KeyId=old["KeyId"])["KeyMetadata"]
    assert ending["KeyState"] == "PendingDeletion"

    waits = datetime.fromisoformat(done.unreadable_at) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < waits <= timedelta(days=7, minutes=1), "the waiting time is part of the date"
    assert datetime.fromisoformat(done.unreadable_at) == ending["DeletionDate"]
    with installation.open() as store:
        (end,) = (entry.value["epoch"] for entry in store.history.entries if entry.value["type"] == "erasure")
        assert end == {"ended": 1, "begun": 2, "unreadable_at": done.unreadable_at}
    assert installation.verify("deep").verdict is Verdict.INTACT


def test_retiring_twice_tells_the_same_date(kms: Any) -> None:
    """As after a crash between the two."""
    provider = kek.open_kek(ALIAS)
    old = provider.wrap(KEY, STORE)
    provider.renew(old)
    new = provider.wrap(KEY, STORE)
    first = provider.retire(new, [old], 30)
    assert kek.open_kek(ALIAS).retire(new, [old], 7) == first
    assert provider.unwrap(new, STORE) == KEY


def test_renewing_twice_makes_one_key(kms: Any) -> None:
    provider = kek.open_kek(ALIAS)
    old = provider.wrap(KEY, STORE)
    provider.renew(old)
    made = target(kms)["Arn"]
    again = kek.open_kek(ALIAS)
    again.renew(old)
    assert target(kms)["Arn"] == made


def test_the_key_that_is_in_use_is_never_retired(kms: Any) -> None:
    provider = kek.open_kek(ALIAS)
    with pytest.raises(ConfigError, match="same KMS key"):
        provider.retire(provider.wrap(KEY, STORE), [provider.wrap(KEY, STORE)], 7)
    assert target(kms)["KeyState"] == "Enabled"


def test_only_an_alias_can_be_rotated(kms: Any) -> None:
    provider = kek.open_kek(f"aws-kms:{target(kms)['KeyId']}")
    with pytest.raises(ConfigError, match="alias") as caught:
        provider.renew(provider.wrap(KEY, STORE))
    assert "aws-kms:alias/" in caught.value.next_step


def test_errors_name_the_operation_and_no_secret(kms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyringError) as caught:
        kek.open_kek("aws-kms:alias/not-there").wrap(KEY, STORE)
    assert "NotFoundException" in caught.value.message
    assert "not-there" not in caught.value.message
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    with pytest.raises(KeyringError, match="EndpointConnectionError") as caught:
        kek.open_kek(ALIAS).wrap(KEY, STORE)
    assert "testing" not in caught.value.message


def test_without_a_region_the_settings_are_wrong(kms: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="NoRegionError"):
        kek.open_kek(ALIAS)

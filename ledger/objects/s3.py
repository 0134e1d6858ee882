"""Objects in an S3 bucket through s3fs, created with ``If-None-Match: *``.

What a failed create did is settled by reading the object back: an answer may be lost, late, or 412 to one's own
success. Credentials and, unless given, the endpoint come from where every AWS tool takes them (environment, profile,
instance role). Nothing that a server or a library says in words is passed on: it can quote keys and signed URLs.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, ParamSpec, TypeVar

from s3fs import S3FileSystem

from ledger.errors import MissingObjectError, StorageError, UnsafeStoreError
from ledger.objects.base import (
    ObjectInfo,
    check_delete,
    check_path,
    check_prefix,
    check_range,
    check_replace,
    check_write,
    missing,
)

PART_SIZE: Final = 32 * 2**20
"""Bytes of one part of a multipart upload, which begins at twice this; the condition is checked at its completion."""

ATTEMPTS: Final = 8
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
# Answers after which the object may nevertheless be there, or a second try may succeed. 404: the upload is completed.
_UNSETTLED: Final = frozenset({None, 404, 408, 409, 412, 429, 500, 502, 503, 504})
_CHANCE: Final = random.SystemRandom()
_CODE: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_CONNECTION: Final = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "max_pool_connections": 32,
    "retries": {"mode": "standard", "max_attempts": 3},
}
_HINT: Final = "Check the bucket, the endpoint and the credentials, then run the command again."
_HINTS: Final = {
    "AccessDenied": "The credentials need s3:GetObject, s3:PutObject and s3:ListBucket; without the last a store "
    "refuses instead of saying that an object is absent.",
    "403": "The credentials need s3:ListBucket, or are wrong; without it a store refuses instead of saying that an "
    "object is absent.",
    "NoSuchBucket": "Create the bucket first; it is never created here.",
    "NoCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or an instance role.",
}
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


class S3Reader:
    """``ReadObjects`` below a prefix of a bucket. A bucket that does not exist looks like an empty store."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None) -> None:
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._s3: Any = S3FileSystem(
            endpoint_url=endpoint, config_kwargs=_CONNECTION, use_listings_cache=False, skip_instance_cache=True
        )
        # botocore retries requests; this is for an answer that breaks off while its body is read.
        self._s3.retries = 2

    def get(self, path: str) -> bytes:
        """See ``ReadObjects.get``."""
        check_path(path)
        # One stream: several would first ask for the size, and list when there is none.
        return self._read(path, max_concurrency=1)

    def get_range(self, path: str, start: int, length: int) -> bytes:
        """See ``ReadObjects.get_range``."""
        check_path(path)
        check_range(start, length)
        if length == 0:
            if self.head(path) is None:
                raise missing(path)
            return b""
        try:
            return self._read(path, start=start, end=start + length)
        except StorageError as error:
            if error.where.get("status") == 416:
                return b""
            raise

    def head(self, path: str) -> int | None:
        """See ``ReadObjects.head``."""
        check_path(path)
        try:
            return self._call("look at", path, self._head, path)
        except StorageError as error:
            if error.where.get("status") == 404:
                return None
            raise

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ``ReadObjects.list``; one request a page of a thousand."""
        check_prefix(prefix)
        return self._listed(prefix)

    def _listed(self, prefix: str) -> Iterator[ObjectInfo]:
        last = ""
        token: str | None = ""
        while token is not None:
            try:
                page, token = self._call("list", prefix or "objects", self._page, prefix, token)
            except StorageError as error:
                if error.where.get("code") == "NoSuchBucket" and not token:
                    return
                raise
            for key, size in page:
                if key <= last:
                    raise StorageError("the store does not list in the order of the keys")
                last = key
                # A key that ends in a slash is a folder that a console has drawn.
                if not key.endswith("/"):
                    yield ObjectInfo(key[len(self._prefix) :], size)

    def _head(self, path: str) -> int:
        return int(self._s3.call_s3("head_object", Bucket=self._bucket, Key=self._key(path))["ContentLength"])

    def _page(self, prefix: str, token: str) -> tuple[tuple[tuple[str, int], ...], str | None]:
        """Return one page of keys and sizes, and the token of the next page, None after the last."""
        resume = {"ContinuationToken": token} if token else {}
        page = self._s3.call_s3("list_objects_v2", Bucket=self._bucket, Prefix=self._key(prefix), **resume)
        # An answer without this is no list: taken for an empty one, a captive portal's page would look like a loss.
        truncated = page["IsTruncated"]
        found = tuple((str(item["Key"]), int(item["Size"])) for item in page.get("Contents", ()))
        return found, str(page["NextContinuationToken"]) if truncated else None

    def _key(self, path: str) -> str:
        return self._prefix + path

    def _read(self, path: str, **how: int) -> bytes:
        try:
            return self._call("read", path, self._cat, path, **how)
        except StorageError as error:
            # A proxy or web server says 404 too, but not in these words.
            if error.where.get("code") in {"NoSuchKey", "NoSuchBucket"}:
                raise missing(path) from None
            raise

    def _cat(self, path: str, **how: int) -> bytes:
        return bytes(self._s3.cat_file(f"{self._bucket}/{self._key(path)}", **how))

    def _call(
        self, action: str, path: str, call: Callable[_Given, _Answer], *given: _Given.args, **named: _Given.kwargs
    ) -> _Answer:
        try:
            return call(*given, **named)
        except Exception as error:  # noqa: BLE001 - four libraries can fail here, each with its own tree of errors
            raise _failure(action, path, error) from None


class S3Objects(S3Reader):
    """``Objects`` in a bucket; safe for several writers if ``probe_conditional_put`` passes."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """See ``AppendObjects.put_if_absent``."""
        check_write(path, data)
        code: object = None
        for attempt in range(ATTEMPTS):
            time.sleep(_pause(attempt))
            failure = self._create(path, data)
            if failure is None:
                return True
            found = self._found(path, len(data))
            if found is not None:
                return found == data
            code = failure.where["code"]
        raise StorageError(f"cannot write {path} in the bucket: {code}, {ATTEMPTS} times", path=path, code=code)

    def replace(self, path: str, data: bytes) -> None:
        """See ``ReplaceObjects.replace``."""
        check_replace(path, data)
        self._put(path, data, mode="overwrite")

    def _create(self, path: str, data: bytes) -> StorageError | None:
        """Try once; return the failure if it does not say what became of the object."""
        try:
            self._put(path, data, mode="create")
        except StorageError as failure:
            code, status = failure.where["code"], failure.where.get("status")
            if status == 501:
                raise UnsafeStoreError("the store does not implement conditional writes", path=path) from None
            if status not in _UNSETTLED or code == "NoSuchBucket":
                raise
            return failure
        return None

    def _put(self, path: str, data: bytes, mode: str) -> None:
        self._call("write", path, self._pipe, path, data, mode)

    def _pipe(self, path: str, data: bytes, mode: str) -> None:
        self._s3.pipe_file(f"{self._bucket}/{self._key(path)}", data, mode=mode, chunksize=PART_SIZE)

    def _found(self, path: str, size: int) -> bytes | None:
        """Return the object's bytes, None if it is absent; of an object of another size nothing is read."""
        found = self.head(path)
        if found is None:
            return None
        if found != size:
            return b""
        try:
            return self.get(path)
        except MissingObjectError:
            return None


class S3Deleting(S3Reader):
    """``DeleteObjects`` in a bucket. Where it keeps versions this adds a delete marker, and the bytes stay below it."""

    def delete(self, path: str) -> None:
        """See ``DeleteObjects.delete``."""
        check_delete(path)
        self._call("delete", path, self._delete, path)

    def _delete(self, path: str) -> None:
        self._s3.call_s3("delete_object", Bucket=self._bucket, Key=self._key(path))


def _pause(attempt: int) -> float:
    """Return how many seconds to wait before an attempt, drawn at random so that rivals do not meet again."""
    return _CHANCE.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt)) if attempt else 0


def _failure(action: str, path: str, error: Exception) -> StorageError:
    """Describe an error by its code alone; ``where`` has ``code`` and the HTTP ``status``, None if nothing answered."""
    # s3fs wraps botocore's error, whose answer is a dictionary.
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None) or {}
    code = str(response.get("Error", {}).get("Code", ""))
    if not _CODE.fullmatch(code):
        code = type(error).__name__
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return StorageError(
        f"cannot {action} {path} in the bucket: {code}",
        hint=_HINTS.get(code, _HINT),
        path=path,
        code=code,
        status=status,
    )

"""RFC 3161 timestamps: a time-stamping authority (TSA) signs that bytes existed at a time; it is shown their hash only.

A token is verified before it is used: for these bytes, under the roots that the settings name, for this very request.
Nothing of this runs while anything is verified: checking a token needs no network.
"""

from __future__ import annotations

import hashlib
import http.client
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from ledger.errors import ConfigError, FormatError, TamperedError, TimestampError, UnverifiableError
from ledger.settings import Settings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

FILE: Final = "attestation.tsr"
MAX_TOKEN: Final = 1 << 20
TIMEOUT: Final = 20.0
"""Seconds that an authority has in all: for its address, its certificate, its answer."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ACCEPTED: Final = 0


class Stamp(NamedTuple):
    """What a token says: when (RFC 3339 UTC, as precise as the authority is), and who signed it (subject, RFC 4514)."""

    at: str
    authority: str
    serial: int


def timestamp(settings: Settings, data: bytes, timeout: float = TIMEOUT) -> bytes | None:
    """A response of the configured authority over these bytes, verified; None where none is configured.

    Raises ConfigError for settings that are no use, TimestampError where the authority fails or answers anything that
    does not verify. Then nothing may be handed out that was to be timestamped.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    if settings.tsa_url is None:
        return None
    url, roots = _checked_url(settings.tsa_url), read_roots(settings.tsa_roots)
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = _within(timeout, lambda: _post(url, request.as_bytes(), timeout))
    try:
        check_token(answer, data, roots, nonce=request.nonce)
    except (FormatError, TamperedError, UnverifiableError) as error:
        raise TimestampError(f"the answer of the timestamp authority is not accepted: {error.message}") from None
    return answer


def check_token(token: bytes, data: bytes, roots: Sequence[Certificate], *, nonce: int | None = None) -> Stamp:
    """What a response says, verified: over these bytes, by an authority under one of the roots, valid at that time.

    Raises FormatError for what is none, TamperedError where it is over other bytes, UnverifiableError where it does
    not verify under these roots or, if ``nonce`` is given, is the answer to another request.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    response = _decoded(token)
    verifier = VerifierBuilder(roots=list(roots), nonce=nonce).build()
    _check_imprint(response, data)
    try:
        verifier.verify_message(response, data)
    except VerificationError as error:
        raise UnverifiableError(f"the timestamp does not verify: {error}", hint=_HINT) from None
    except ValueError:
        raise FormatError("the timestamp is malformed") from None
    return _stamp(response)


_HINT: Final = "Name the roots of the authority that made it (setting tsa_roots)."


def read_roots(path: Path | None) -> list[Certificate]:
    """The root certificates (PEM) under which tokens are accepted. Raises ConfigError where there are none."""
    from cryptography import x509

    if path is None:
        raise ConfigError(
            "the settings name no tsa_roots, so no timestamp can be checked",
            hint="Name a PEM file with the root certificate of the timestamp authority.",
        )
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} holds no certificates in PEM") from None


def _decoded(token: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    if len(token) > MAX_TOKEN:
        raise FormatError(f"a timestamp has at most {MAX_TOKEN} bytes")
    try:
        response = decode_timestamp_response(token)
        status = response.status
    except ValueError:
        raise FormatError("this is no RFC 3161 response") from None
    if status != _ACCEPTED:
        raise UnverifiableError(f"the timestamp authority refused (status {status})", hint=_REFUSED)
    return response


_REFUSED: Final = "Ask the authority why."
_SHA256: Final = "2.16.840.1.101.3.4.2.1"


def _check_imprint(response: TimeStampResponse, data: bytes) -> None:
    try:
        imprint = response.tst_info.message_imprint
        algorithm, stated = imprint.hash_algorithm.dotted_string, imprint.message
    except ValueError:
        raise FormatError("the timestamp is malformed") from None
    if algorithm != _SHA256:
        raise UnverifiableError("the timestamp is over a hash other than SHA-256", hint=_REFUSED)
    if stated != hashlib.sha256(data).digest():
        raise TamperedError("the timestamp is over other bytes", path=FILE)


def _stamp(response: TimeStampResponse) -> Stamp:
    from cryptography import x509

    info = response.tst_info
    (signer,) = response.signed_data.signer_infos
    certificates = map(x509.load_der_x509_certificate, response.signed_data.certificates)
    names = [
        certificate.subject.rfc4514_string()
        for certificate in certificates
        if certificate.serial_number == signer.serial_number and certificate.issuer == signer.issuer
    ]
    return Stamp(info.gen_time.isoformat().replace("+00:00", "Z"), names[0], info.serial_number)


# ---- asking the authority


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An authority that sends one elsewhere is not the one that the settings name."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ConfigError("tsa_url is no URL") from None
    if host is None or parts.scheme not in ("https", "http") or (parts.scheme == "http" and host not in _LOOPBACK):
        raise ConfigError("tsa_url is an https URL", hint="http is taken for an authority on this machine alone.")
    return url


def _post(url: str, query: bytes, timeout: float) -> bytes:
    """The body of the answer. Raises TimestampError."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(url).hostname in _LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    request = urllib.request.Request(url, query, headers, method="POST")  # noqa: S310 - _checked_url
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            body: bytes = response.read(MAX_TOKEN + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise TimestampError(f"the timestamp authority answered with HTTP status {error.code}") from None
    except TimeoutError:
        raise TimestampError(_SLOW) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise TimestampError(_SLOW) from None
        raise TimestampError(f"the timestamp authority cannot be reached: {type(reason).__name__}") from None
    if len(body) > MAX_TOKEN:
        raise TimestampError(f"the timestamp authority answered with more than {MAX_TOKEN} bytes")
    return body


_SLOW: Final = "the timestamp authority did not answer in time"


def _within(seconds: float, call: Callable[[], bytes]) -> bytes:
    """What a call returns or raises, unless it takes longer: a socket's own limit begins again with every byte."""
    outcome: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put(call())
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            outcome.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        found = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimestampError(_SLOW) from None
    if isinstance(found, BaseException):
        raise found
    return found

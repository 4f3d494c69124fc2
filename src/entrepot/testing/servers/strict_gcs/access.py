"""Authentication: tokens, credentials that are exchanged for them, and the signatures of URLs."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, unquote

from .bucket import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

EMAIL: Final = "writer@entrepot.example"
REFRESH_TOKEN: Final = "refresh-1"  # noqa: S105 - of a test
SUBJECT_TOKEN: Final = "subject-1"  # noqa: S105 - of a test


class Access:
    """One service account, and the tokens that were given out for it.

    Attributes:
        private_key: its key, in PEM.
        token: a token that is always valid.
        exchanged: what each token was given out for: the grant types, in order.
    """

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        self._key = _new_key()
        self.private_key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.token = "token-0"  # noqa: S105 - of a test
        self.exchanged: list[str] = []
        self._valid = {self.token}
        self._serial = count(1)

    def check(self, authorization: str | None) -> None:
        """Refuses a request without a valid token."""
        if authorization is None:
            raise Refused(401, "required/AuthenticationRequired", "Anonymous caller")
        if authorization.removeprefix("Bearer ") not in self._valid:
            raise Refused(401, "authError/AuthenticationRequired", "Invalid Credentials")

    def revoke(self) -> None:
        """Makes all tokens invalid that were given out."""
        self._valid = {self.token}

    def give_out(self) -> str:
        """A new token."""
        token = f"token-{next(self._serial)}"
        self._valid.add(token)
        return token

    def exchange(self, content: bytes) -> dict[str, Any]:
        """The response of the token endpoint to a form."""
        form = {name: values[0] for name, values in parse_qs(content.decode()).items()}
        grant = form.get("grant_type", "").rpartition(":")[2]
        is_right = {
            "jwt-bearer": lambda: self._is_claim(form.get("assertion", "")),
            "refresh_token": lambda: form.get("refresh_token") == REFRESH_TOKEN and bool(form.get("client_secret")),
            "token-exchange": lambda: _is_subject(form.get("subject_token", ""), form.get("audience", "")),
        }.get(grant)
        if is_right is None or not is_right():
            raise Refused(400, "invalid_grant/", "invalid_grant")
        self.exchanged.append(grant)
        return {"access_token": self.give_out(), "expires_in": 3599, "token_type": "Bearer"}

    def sign(self, payload: str) -> bytes:
        """The signature of `signBlob`."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key.sign(b64decode(payload), PKCS1v15(), SHA256())

    def check_url(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> None:
        """Refuses a URL that is not signed, or has expired."""
        pairs = [pair.partition("=")[::2] for pair in query.split("&")]
        values = {name: unquote(value) for name, value in pairs}
        start = datetime.strptime(values["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if (
            not start
            <= datetime.now(UTC) + timedelta(minutes=1)
            <= start + timedelta(seconds=int(values["X-Goog-Expires"]) + 60)
        ):
            raise Refused(400, "expired/ExpiredToken")
        names = values["X-Goog-SignedHeaders"].split(";")
        if not {"host", *(name for name in headers if name.startswith("x-goog-"))} <= set(names):
            raise Refused(403, "forbidden/AccessDenied", "a header is not signed")
        listed = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
        rest = sorted(f"{name}={value}" for name, value in pairs if name != "X-Goog-Signature")
        encoded = quote(unquote(path), safe="/~")
        canonical = "\n".join((method, encoded, "&".join(rest), listed, ";".join(names), "UNSIGNED-PAYLOAD"))
        scope = values["X-Goog-Credential"].partition("/")[2]
        digest = sha256(canonical.encode()).hexdigest()
        text = "\n".join((values["X-Goog-Algorithm"], values["X-Goog-Date"], scope, digest))
        if not self._is_signed(bytes.fromhex(values["X-Goog-Signature"]), text.encode()):
            raise Refused(403, "forbidden/SignatureDoesNotMatch")

    def _is_claim(self, text: str) -> bool:
        signed, _, signature = text.rpartition(".")
        claims = json.loads(_decoded(signed.partition(".")[2]))
        lives = int(claims["exp"]) - int(claims["iat"])
        return (
            claims["iss"] == EMAIL
            and bool(claims["scope"])
            and claims["aud"].endswith("/token")
            and 0 < lives <= 3600
            and self._is_signed(_decoded(signature), signed.encode())
        )

    def _is_signed(self, signature: bytes, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._key.public_key().verify(signature, content, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def _is_subject(token: str, audience: str) -> bool:
    """Whether a token of another provider is for this audience: the one that there is, or a signed request of AWS."""
    if token == SUBJECT_TOKEN:
        return bool(audience)
    values = json.loads(unquote(token))
    headers = {header["key"].lower(): header["value"] for header in values["headers"]}
    is_signed = headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")
    return values["method"] == "POST" and is_signed and headers.get("x-goog-cloud-target-resource") == audience != ""


@cache
def _new_key() -> RSAPrivateKey:
    """A key, which takes a second to make: one for all servers of a process."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return generate_private_key(65537, 2048)


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""Signing against the test vectors of the AWS SDKs. They lie beside the project and are not part of it.

S3 signs paths as they are sent. The vectors are of a service that normalizes them first, so the test
does that, and encodes what a client would have encoded; all else is done by the code that signs requests.
"""

import json
import posixpath
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from entrepot.raw.http import HttpRequest
from entrepot.signing.aws import EMPTY_SHA256, Credentials, Signer, SigningKey, canonical_request

VECTORS = Path(__file__).parents[5] / "shared" / "data" / "aws-sigv4"
CASES = sorted(folder.name for folder in VECTORS.iterdir()) if VECTORS.is_dir() else []

pytestmark = pytest.mark.skipif(not CASES, reason=f"the AWS SigV4 vectors are not in ../{'/'.join(VECTORS.parts[-3:])}")


@dataclass
class Case:
    folder: Path
    context: dict[str, Any]
    request: HttpRequest

    @property
    def stamp(self) -> str:
        return self.moment.strftime("%Y%m%dT%H%M%SZ")

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.context["timestamp"])

    @property
    def signed_token(self) -> str | None:
        """The session token, unless the case adds it after signing, which S3 never does."""
        token: str | None = self.context["credentials"].get("token")
        return None if self.context.get("omit_session_token") else token

    @property
    def credentials(self) -> Credentials:
        keys = self.context["credentials"]
        return Credentials(keys["access_key_id"], keys["secret_access_key"], self.signed_token)

    @property
    def key(self) -> SigningKey:
        return SigningKey(self.credentials, self.context["region"], self.context["service"], self.stamp[:8])

    def signed(self) -> HttpRequest:
        signer = Signer(self.context["service"])
        return signer.sign(self.request, self.credentials, self.context["region"], self.moment)

    def presigned(self, payload_hash: str) -> HttpRequest:
        expires, region = self.context["expiration_in_seconds"], self.context["region"]
        signer = Signer(self.context["service"])
        return signer.presign(self.request, self.credentials, region, self.moment, expires, payload_hash)

    def expected(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8").strip()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    folder = VECTORS / request.param
    context = json.loads((folder / "context.json").read_text(encoding="utf-8"))
    raw = (folder / "request.txt").read_text(encoding="utf-8")
    return Case(folder, context, parse_request(raw, context["normalize"]))


def parse_request(raw: str, normalize: bool) -> HttpRequest:
    head, _, body = raw.partition("\n\n")
    first, *lines = head.replace("\n ", "  ").strip().split("\n")
    method, _, target = first.removesuffix(" HTTP/1.1").partition(" ")
    headers = [tuple(line.split(":", 1)) for line in lines]
    path, _, query = target.partition("?")
    if normalize:
        path = posixpath.normpath("/" + path.lstrip("/")) + ("/" if path.strip("/.") and path.endswith("/") else "")
    url = "https://example.amazonaws.com" + quote(path) + ("?" + quote(query, safe="=&%") if query else "")
    return HttpRequest(method, url, headers, body.encode() or None)  # type: ignore[arg-type]


def test_signs_in_the_headers_as_the_vector_does(case: Case) -> None:
    payload_hash, added = EMPTY_SHA256, [("X-Amz-Date", case.stamp)]
    signed = case.signed()
    if case.context["sign_body"]:
        payload_hash = dict(signed.headers)["x-amz-content-sha256"]
        added.append(("x-amz-content-sha256", payload_hash))
    if case.signed_token is not None:
        added.append(("X-Amz-Security-Token", case.signed_token))
    request = HttpRequest(case.request.method, case.request.url, [*case.request.headers, *added])

    canonical = canonical_request(request, payload_hash)
    assert canonical == case.expected("header-canonical-request.txt")
    assert case.key.string_to_sign(case.stamp, canonical) == case.expected("header-string-to-sign.txt")
    assert case.key.signature(case.stamp, canonical) == case.expected("header-signature.txt")
    start, form = case.key.canonical(request.headers)
    assert f"{form}\n{payload_hash}" in canonical
    assert (
        f"Authorization:{start}{case.expected('header-signature.txt')}"
        in case.expected("header-signed-request.txt").splitlines()
    )


def test_signs_in_the_query_as_the_vector_does(case: Case) -> None:
    payload_hash = EMPTY_SHA256
    if case.context["sign_body"]:
        payload_hash = dict(case.signed().headers)["x-amz-content-sha256"]
    signed = case.presigned(payload_hash)

    unsigned = HttpRequest(signed.method, signed.url.rpartition("&X-Amz-Signature=")[0], signed.headers)
    canonical = canonical_request(unsigned, payload_hash)
    assert canonical == case.expected("query-canonical-request.txt")
    assert case.key.string_to_sign(case.stamp, canonical) == case.expected("query-string-to-sign.txt")
    assert signed.url.endswith(f"&X-Amz-Signature={case.expected('query-signature.txt')}")
    assert parameters(signed.url) == expected_parameters(case)


def parameters(url: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(url.partition("?")[2], keep_blank_values=True))


def expected_parameters(case: Case) -> list[tuple[str, str]]:
    target = case.expected("query-signed-request.txt").splitlines()[0].removesuffix(" HTTP/1.1")
    omitted = {"X-Amz-Security-Token"} if case.context.get("omit_session_token") else set()
    return [pair for pair in parameters(target) if pair[0] not in omitted]


def test_all_vectors_are_there() -> None:
    assert len(CASES) >= 38

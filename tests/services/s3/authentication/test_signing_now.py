"""A request is signed at once as it is by a coroutine, wherever nothing has to be waited for."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from entrepot.errors import ConfigInvalid
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.runtime import Runtime
from entrepot.services.s3.authentication.sessions import SessionSigner
from entrepot.services.s3.authentication.signer import INLINE_HASH_LIMIT, S3Signer
from entrepot.services.s3.headers.private_keys import PrivateKeySigner
from entrepot.services.s3.location.address import Settings
from entrepot.services.s3.location.place import BucketPlace
from entrepot.services.s3.location.placed import PlacedSigner
from entrepot.signing import CredentialCache, Credentials
from entrepot.signing.clock import Clock
from entrepot.testing.transport import MockTransport, reply

NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)
HOST = ("Host", "127.0.0.1:9000")
REQUESTS = {
    "read": HttpRequest("GET", "http://127.0.0.1:9000/b/k", [HOST, ("Range", "bytes=0-1")]),
    "write": HttpRequest("PUT", "http://127.0.0.1:9000/b/k", [HOST], b"data"),
    "write over TLS": HttpRequest("PUT", "https://127.0.0.1:9000/b/k", [HOST], (b"da", b"ta")),
    "empty write": HttpRequest("PUT", "http://127.0.0.1:9000/b/k", [HOST], b""),
    "copy": HttpRequest("PUT", "http://127.0.0.1:9000/b/k", [HOST, ("x-amz-copy-source", "/b/a")], b""),
}
LONG = HttpRequest("PUT", "http://127.0.0.1:9000/b/k", [HOST], b"x" * (INLINE_HASH_LIMIT + 1))


def context() -> Context:
    return Context(http=MockTransport(lambda _: reply(200)))


def signer(runtime: Runtime, name: str | None = "AK", **options: bool) -> S3Signer:
    cache = None if name is None else CredentialCache.fixed(Credentials(name, "secret", "token"), runtime)
    return S3Signer(cache, lambda: "auto", runtime, Clock(lambda: NOW), **options)


def placed(runtime: Runtime, settings: Settings) -> RequestSigner:
    at = BucketPlace("b", settings, context().http, runtime, lambda url: None)
    return PlacedSigner(at, signer(runtime))


KNOWN = Settings(endpoint="http://127.0.0.1:9000", region="auto")
SIGNERS: dict[str, Callable[[Runtime], RequestSigner]] = {
    "keys": signer,
    "no keys": lambda runtime: signer(runtime, None),
    "unsigned payload": lambda runtime: signer(runtime, unsigned_payload=True),
    "signed payload": lambda runtime: signer(runtime, unsigned_payload=False),
    "private key": lambda runtime: PrivateKeySigner(signer(runtime)),
    "session": lambda runtime: SessionSigner(signer(runtime), signer(runtime, "ACCOUNT")),
    "placed": lambda runtime: placed(runtime, KNOWN),
}


@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("is_content", [False, True])
async def test_at_once_or_later_is_the_same(name: str, is_content: bool) -> None:
    signer = SIGNERS[name](context().runtime)
    for request in REQUESTS.values():
        later = await (signer.sign_content if is_content else signer.sign)(request)
        assert signer.sign_now(request, is_content=is_content) == later


async def test_nothing_is_signed_at_once_that_has_to_wait() -> None:
    runtime = context().runtime

    class Slow:
        async def load(self) -> Credentials:
            return Credentials("AK", "secret")

    loading = S3Signer(CredentialCache(Slow(), runtime), lambda: "auto", runtime, Clock(lambda: NOW))
    assert loading.sign_now(REQUESTS["read"]) is None
    assert signer(runtime).sign_now(LONG) is None
    assert signer(runtime).sign_now(LONG, is_content=True) is None
    assert signer(runtime, unsigned_payload=True).sign_now(LONG, is_content=True) is not None
    assert placed(runtime, Settings(region=None)).sign_now(REQUESTS["read"]) is None
    assert RequestSigner().sign_now(REQUESTS["read"]) is None

    await loading.sign(REQUESTS["read"])
    assert loading.sign_now(REQUESTS["read"]) is not None


def test_a_private_key_is_not_sent_unencrypted_at_once() -> None:
    private = PrivateKeySigner(signer(context().runtime))
    with pytest.raises(ConfigInvalid, match="needs an https endpoint"):
        private.sign_now(HttpRequest("GET", "http://192.0.2.1/b/k", [("Host", "192.0.2.1")]))

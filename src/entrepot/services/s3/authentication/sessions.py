"""Sessions of directory buckets (S3 Express One Zone).

The sources are "Regional and Zonal endpoints for directory buckets" in the Amazon S3 User Guide and CreateSession in
the Amazon S3 API Reference.

Theory of operation. Requests to a directory bucket are signed with the credentials of a session, which lives five
minutes. `SessionProvider` starts one with the credentials of the account, and a `CredentialCache` renews it as it does
any credentials that expire. CopyObject and UploadPartCopy read another object too, so they are signed with the
credentials of the account instead.
"""

from datetime import timedelta
from typing import Final

from entrepot.errors import Error, Unexpected
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.form import Form
from entrepot.raw.http.headers import parse_iso_time
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.xml import find_text
from entrepot.services.s3.core import S3Core
from entrepot.signing.aws import Credentials
from entrepot.types import PresignedRequest

SESSION_TOKEN_HEADER: Final = "x-amz-s3session-token"  # noqa: S105 - the name of a header
"""The header of the token of a session."""

_COPY_SOURCE: Final = "x-amz-copy-source"


class SessionProvider:
    """Starts sessions: the credentials of one directory bucket, for five minutes.

    Arguments:
        client: sends requests that are signed with the credentials of the account.
        is_read_only: whether the sessions may only read.
    """

    def __init__(self, client: HttpClient[S3Core], *, is_read_only: bool) -> None:
        self._client = client
        self._mode = "ReadOnly" if is_read_only else "ReadWrite"

    async def load(self) -> Credentials:
        """Starts a session.

        Raises:
            Error: the storage refused it, or its response cannot be understood.
        """
        core = self._client.dialect
        headers = [("x-amz-create-session-mode", self._mode), *core.fixed.encryption.new]
        request = core.on_bucket("GET", [("session", None)], headers)
        _, content = await self._client.call(request)
        key_id, secret = find_text(content, b"AccessKeyId"), find_text(content, b"SecretAccessKey")
        token, expires_at = _long_text(content, b"SessionToken"), parse_iso_time(find_text(content, b"Expiration"))
        if not (key_id and secret and token) or expires_at is None:
            raise Unexpected("the storage started a session without stating its credentials", is_temporary=True)
        return Credentials(key_id, secret, token, expires_at, source="session of the directory bucket")


def _long_text(content: bytes, tag: bytes) -> str | None:
    """The text of the first element of that name. Tokens are longer than what `find_text` finds."""
    _, found, rest = content.partition(b"<%b>" % tag)
    text, ended, _ = rest.partition(b"</%b>" % tag)
    return text.strip().decode("ascii", "replace") if found and ended else None


class SessionSigner(RequestSigner):
    """Signs requests with a session, and copies with the credentials of the account.

    Arguments:
        session: signs with the credentials of the session.
        account: signs with the credentials of the account.
    """

    __slots__ = ("_account", "_session")

    def __init__(self, session: RequestSigner, account: RequestSigner) -> None:
        self._session = session
        self._account = account

    @property
    def is_anonymous(self) -> bool:
        return False

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        signer = self._session if is_content else self._signer_of(request)
        return signer.sign_now(request, is_content=is_content)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return await self._signer_of(request).sign(request)

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        return await self._session.sign_content(request)

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        return await self._session.presign(request, expires)

    async def presign_form(self, request: HttpRequest, form: Form, expires: timedelta) -> PresignedRequest:
        return await self._session.presign_form(request, form, expires)

    def hashes_content(self, url: str) -> bool:
        return self._session.hashes_content(url)

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        return self._signer_of(sent).explain(error, sent)

    def _signer_of(self, request: HttpRequest) -> RequestSigner:
        return self._account if is_of_account(request) else self._session


def is_of_account(request: HttpRequest) -> bool:
    """Whether the credentials of the account sign a request, as they do a copy."""
    return any(name == _COPY_SOURCE for name, _ in request.headers)


def is_of_session(request: HttpRequest) -> bool:
    """Whether the credentials of a session sign a request."""
    return not is_of_account(request)

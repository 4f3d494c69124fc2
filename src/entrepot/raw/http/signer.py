"""How requests are authorized: the interface between the HTTP client and a signing scheme."""

from datetime import timedelta

from entrepot.errors import Error, Unsupported
from entrepot.types import PresignedRequest

from .form import Form
from .transport import HttpRequest


class RequestSigner:
    """Adds credentials to requests. This base adds none: it is anonymous access.

    The client signs a request each time it sends it, so a retried request has a fresh date and signature.
    """

    __slots__ = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are sent without credentials."""
        return True

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        """Returns what `sign` or `sign_content` returns, if that is possible without waiting; None if it may not be.

        The client asks first: most requests are signed without waiting, and coroutines cost a good part of a signature.
        A signer that only overrides `sign` is always awaited.

        Arguments:
            request: the request.
            is_content: whether its content is an object or a part of one.
        """
        return None

    async def sign(self, request: HttpRequest) -> HttpRequest:
        """Returns the request with its credentials. It may wait, for a token or for a hash made in a thread."""
        return request

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        """As `sign`, for a request whose content is an object or a part of one."""
        return await self.sign(request)

    def hashes_content(self, url: str) -> bool:
        """Whether the signature of a request with an object's content to this URL needs the SHA-256 of the content."""
        return False

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        """Adds to the error of a refused request what the user should know of the credentials. Never a secret."""
        return error

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """Returns the request in a form that anyone who has it can send.

        Arguments:
            request: the request, without content.
            expires: how long it is valid; an anonymous one does not expire.
        """
        return PresignedRequest(request.method, request.url, presigned_headers(request))

    async def presign_form(self, request: HttpRequest, form: Form, expires: timedelta) -> PresignedRequest:
        """Returns a form that anyone who has it can send.

        Arguments:
            request: the request that sends it, without headers and content.
            form: its fields and conditions.
            expires: how long it is valid.
        """
        raise Unsupported("a form cannot be signed without credentials")


def presigned_headers(request: HttpRequest) -> dict[str, str]:
    """The headers that must be sent with a presigned request. Every client derives Host from the URL itself."""
    return {name: value for name, value in request.headers if name != "Host"}

"""Answers of S3 and of the services around it, for `ScriptedServer`: the failures that happen in production.

    expired_once = [expired_token(), [whole_response(b"hello")]]
    with ScriptedServer(expired_once) as server: ...

Each function returns the steps of one answer. The sources are "Error responses" and the operations of the Amazon S3
API Reference, and "Use the Instance Metadata Service" in the Amazon EC2 User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape

from .scripted_server import RESET, Answer, Drip, ReceivedRequest, Step, chunked, raw_response, whole_response

REQUEST_ID: Final = "4442587FB7D0A2F9"
HOST_ID: Final = "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5ZsQjryTjKlc5aLWGVHPZLj5NeC6qMa0emYBDXOo6QBU0Wo="

_XML: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_IDS: Final = (f"x-amz-request-id: {REQUEST_ID}", f"x-amz-id-2: {HOST_ID}")
_REASONS: Final = {200: "OK", 301: "Moved Permanently", 307: "Temporary Redirect", 400: "Bad Request", 403: "Forbidden",
                   404: "Not Found", 500: "Internal Server Error", 503: "Slow Down"}  # fmt: skip


def s3_error(status: int, code: str, *headers: str, **fields: str) -> Answer:
    """An error in XML, with a request id and an extended request id.

    Arguments:
        status: the status.
        code: the code of the error, such as `"SlowDown"`.
        headers: more headers, a line each.
        fields: more elements of the error, such as `Region="eu-west-1"`.
    """
    stated = {"Code": code, "Message": "Made up for a test.", **fields, "RequestId": REQUEST_ID, "HostId": HOST_ID}
    elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in stated.items())
    content = f"{_XML}<Error>{elements}</Error>".encode()
    lines = ("Content-Type: application/xml", *_IDS, *headers)
    return [whole_response(content, *lines, status=f"{status} {_REASONS.get(status, code)}")]


def head_error(status: int, *headers: str) -> Answer:
    """An error in response to a HEAD, which has no content and therefore no code."""
    lines = ("Content-Type: application/xml", "Transfer-Encoding: chunked", *_IDS, *headers)
    return [raw_response(f"{status} {_REASONS.get(status, 'Failed')}", *lines)]


def moved_to_region(region: str, bucket: str = "bucket") -> Answer:
    """301: the bucket is in another region. The answer has no Location, only the region and an endpoint."""
    endpoint = f"{bucket}.s3.{region}.amazonaws.com"
    return s3_error(301, "PermanentRedirect", f"x-amz-bucket-region: {region}", Bucket=bucket, Endpoint=endpoint)


def wrong_region(region: str) -> Answer:
    """400: the request is signed for another region than that of the bucket."""
    return s3_error(400, "AuthorizationHeaderMalformed", Region=region)


def moved_for_now(location: str) -> Answer:
    """307: the name of a new bucket does not lead to its region yet."""
    return s3_error(307, "TemporaryRedirect", f"Location: {location}", Endpoint=location.partition("://")[2])


def expired_token() -> Answer:
    """400: the session token has expired."""
    return s3_error(400, "ExpiredToken")


def skewed_clock(server_time: str) -> Answer:
    """403: the time of the signature is too far from that of the server.

    Arguments:
        server_time: the Date header, such as `"Tue, 01 Jul 2025 12:00:00 GMT"`.
    """
    return s3_error(403, "RequestTimeTooSkewed", f"Date: {server_time}", MaxAllowedSkewMilliseconds="900000")


def slow_down(retry_after: int | None = None) -> Answer:
    """503: the storage asks for fewer requests, and has not executed this one."""
    return s3_error(503, "SlowDown", *(() if retry_after is None else (f"Retry-After: {retry_after}",)))


def error_in_success(code: str = "InternalError") -> Answer:
    """200 with an error as its content: copies and completions fail like this after their status was sent."""
    return s3_error(200, code)


def dripping(content: bytes, blanks: int = 20, seconds: float = 0.01) -> Answer:
    """200, then a blank from time to time, then the result: a long copy or completion keeps its connection so.

    Arguments:
        content: the result. An XML declaration belongs before the blanks, so it has none.
        blanks: their number.
        seconds: the time before each.
    """
    head = raw_response("200 OK", "Content-Type: application/xml", "Transfer-Encoding: chunked", *_IDS)
    return [head, chunked(_XML.encode()), Drip(chunked(b" "), blanks, seconds), chunked(content), b"0\r\n\r\n"]


def proxy_unavailable() -> Answer:
    """503 of a proxy (Envoy) in front of the storage, which may have executed the request: no code, no Retry-After.

    After `FORWARD`, the storage has executed it.
    """
    text = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
    return [whole_response(text, "Content-Type: text/plain", "server: envoy", status="503 Service Unavailable")]


def created_session(expiration: str, token: str = "session-token") -> Answer:  # noqa: S107 - made up
    """The answer to CreateSession of a directory bucket.

    Arguments:
        expiration: when the credentials of the session expire, such as `"2025-07-01T12:05:00Z"`.
        token: their session token.
    """
    fields = {
        "SessionToken": token,
        "SecretAccessKey": "session-secret",
        "AccessKeyId": "ASIASESSION",
        "Expiration": expiration,
    }
    elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    session = f"<CreateSessionResult><Credentials>{elements}</Credentials></CreateSessionResult>"
    return [whole_response(f"{_XML}{session}".encode(), "Content-Type: application/xml", *_IDS)]


class InstanceMetadata:
    """A script that answers as the metadata service of an EC2 instance, version 2: a token first, then the role.

    Arguments:
        credentials: the JSON fields of the role's credentials, such as `AccessKeyId` and `Expiration`.
        uses_of_token: after how many requests a token is refused with 401, as when it has expired.
        role: the name of the role.

    Attributes:
        tokens: the number of tokens that were handed out.
    """

    def __init__(self, credentials: Mapping[str, str], *, uses_of_token: int = 1000, role: str = "role") -> None:
        self.tokens = 0
        self._credentials = json.dumps({"Code": "Success", **credentials}).encode()
        self._uses_of_token = uses_of_token
        self._left = 0
        self._role = role

    def __call__(self, request: ReceivedRequest) -> Answer:
        return [self._response(request)]

    def _response(self, request: ReceivedRequest) -> bytes:
        if request.target == "/latest/api/token":
            return self._token(request)
        if request.headers.get("x-aws-ec2-metadata-token") != self._current or not self._left:
            return whole_response(b"", status="401 Unauthorized")
        self._left -= 1
        match request.target.removeprefix("/latest/meta-data/iam/security-credentials/"):
            case "":
                return whole_response(self._role.encode(), "Content-Type: text/plain")
            case self._role:
                return whole_response(self._credentials, "Content-Type: text/plain")
        return whole_response(b"", status="404 Not Found")

    def _token(self, request: ReceivedRequest) -> bytes:
        lifetime = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
        if request.method != "PUT" or lifetime is None:
            return whole_response(b"", status="400 Bad Request")
        self.tokens += 1
        self._left = self._uses_of_token
        return whole_response(self._current.encode(), f"x-aws-ec2-metadata-token-ttl-seconds: {lifetime}")

    @property
    def _current(self) -> str:
        return f"token-{self.tokens}"


def lost_after(*accepted: Step) -> Answer:
    """A reset in place of the answer, after the request was accepted.

    Arguments:
        accepted: the steps before it, such as `FORWARD`, so that an upstream server executes the request.
    """
    return [*accepted, RESET]


HUGE_DATES: Final = (
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 99999 23:59:59 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT",
)
"""Dates at and beyond the limits of `datetime`, for Date, Last-Modified and Retry-After."""

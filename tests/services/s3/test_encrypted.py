"""Responses to writes are compared with the encryption that was requested."""

from base64 import b64encode
from hashlib import md5

import pytest

from entrepot import Operator, Unexpected
from entrepot.raw import Context
from entrepot.services import S3
from entrepot.testing.transport import MockTransport, reply

GIVEN = {"bucket": "b", "region": "r", "access_key_id": "key", "secret_access_key": "secret"}
KEY = b64encode(bytes(range(32))).decode()
SSE = "x-amz-server-side-encryption"
KMS = {"server_side_encryption": "aws:kms"}
CUSTOMER = {"server_side_encryption_customer_key": KEY}
STATED_KMS = {SSE: "aws:kms"}
STATED_CUSTOMER = {f"{SSE}-customer-key-md5": b64encode(md5(bytes(range(32))).digest()).decode()}
MIB = 1024**2


class Bucket:
    """Answers like S3, and states the encryption in the responses to some requests.

    Arguments:
        stating: the headers of responses, by the request.
    """

    def __init__(self, **stating):
        self.stating = stating
        self.requests = []

    def __call__(self, request):
        kind = self.kind(request)
        self.requests.append(kind)
        if kind == "head" and self.stating.get("head") is None:
            return reply(403)
        content = {
            "initiate": b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
            "complete": b'<CompleteMultipartUploadResult><ETag>"e-2"</ETag></CompleteMultipartUploadResult>',
            "copy": b'<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>',
        }.get(kind, b"")
        headers = {"etag": '"e"', **(self.stating.get(kind) or {})}
        return reply(200, content, list(headers.items()))

    @staticmethod
    def kind(request):
        if request.method == "PUT":
            names = {name.lower() for name, _ in request.headers}
            return "copy" if "x-amz-copy-source" in names else "part" if "partNumber" in request.url else "put"
        return {"DELETE": "abort", "HEAD": "head", "POST": "initiate" if "uploads" in request.url else "complete"}[
            request.method
        ]


CALLS = {
    "put": lambda op: op.write("k", b"content"),
    "parts": lambda op: op.write("k", bytes(6 * MIB), chunk=5 * MIB),
    "copy": lambda op: op.copy("s", "k"),
}
SENT = {"put": ["put"], "parts": ["initiate", "part", "part", "complete"], "copy": ["copy"]}


def operator(bucket, values):
    return Operator(S3(**GIVEN, **values), context=Context(http=MockTransport(bucket)), resilient=False)


@pytest.mark.parametrize(
    ("values", "stated"), [(KMS, STATED_KMS), (CUSTOMER, STATED_CUSTOMER)], ids=["kms", "customer"]
)
@pytest.mark.parametrize("call", CALLS)
async def test_what_a_response_states_needs_no_further_request(call, values, stated):
    bucket = Bucket(put=stated, part=stated, copy=stated)
    await CALLS[call](operator(bucket, values))
    assert bucket.requests == SENT[call]


@pytest.mark.parametrize("call", CALLS)
async def test_an_object_whose_response_is_silent_is_looked_up(call):
    bucket = Bucket(head=STATED_KMS)
    await CALLS[call](operator(bucket, KMS))
    assert bucket.requests == [*SENT[call], "head"]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({}, "the storage ignored the encryption 'aws:kms': the object was stored without it, and is there now"),
        ({SSE: "AES256"}, "the storage ignored the encryption 'aws:kms'"),
        (None, "the object was stored, but the storage does not state its encryption, which should be 'aws:kms'"),
    ],
    ids=["none", "another", "refused"],
)
@pytest.mark.parametrize("call", CALLS)
async def test_an_object_that_is_not_encrypted_as_requested_is_an_error(call, head, message):
    bucket = Bucket(head=head)
    with pytest.raises(Unexpected, match=message) as caught:
        await CALLS[call](operator(bucket, KMS))
    assert not caught.value.is_temporary


async def test_a_customers_key_is_in_no_message():
    with pytest.raises(Unexpected, match="ignored the encryption 'sse-c'") as caught:
        await operator(Bucket(head={}), CUSTOMER).write("k", b"content")
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("call", CALLS)
async def test_without_a_requested_encryption_nothing_is_compared(call):
    bucket = Bucket()
    await CALLS[call](operator(bucket, {}))
    assert bucket.requests == SENT[call]

"""What a presigned request shows of itself, and what it keeps."""

import copy
import pickle
from datetime import UTC, datetime

import pytest

from entrepot import PresignedRequest

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://h:9000/b/a%20b?versionId=v&X-Amz-Credential=AKIDSECRET&X-Amz-Signature=abcdef"
REQUEST = PresignedRequest("PUT", URL, {"x-amz-meta-a": "the-secret", "Content-Type": "text/plain"}, NOON)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:.500}".format])
def test_neither_the_query_nor_the_values_of_headers_are_shown(show) -> None:
    assert show(REQUEST) == (
        "PresignedRequest(PUT https://h:9000/b/a%20b?..., headers=['Content-Type', 'x-amz-meta-a'], "
        "expires_at=2026-01-01T12:00:00+00:00)"
    )


def test_one_that_needs_no_proof_is_shown_whole() -> None:
    assert repr(PresignedRequest("GET", "https://h/b")) == (
        "PresignedRequest(GET https://h/b, headers=[], expires_at=None)"
    )


def test_nothing_of_it_can_be_changed() -> None:
    headers = {"Range": "bytes=0-1"}
    request = PresignedRequest("GET", URL, headers)
    headers["Range"] = "bytes=0-2"
    assert dict(request.headers) == {"Range": "bytes=0-1"}
    with pytest.raises(TypeError):
        request.headers["Range"] = "bytes=0-2"  # type: ignore[index]
    with pytest.raises(AttributeError):
        request.url = "https://h/other"  # type: ignore[misc]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_is_equal(again) -> None:
    other = again(REQUEST)
    assert other == REQUEST
    assert hash(other) == hash(REQUEST)
    assert (other.url, dict(other.headers), other.expires_at) == (URL, dict(REQUEST.headers), NOON)

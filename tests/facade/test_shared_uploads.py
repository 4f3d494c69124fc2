"""Uploads whose parts several processes send: what is refused before any I/O. The behaviour suite has the rest."""

import pytest

from entrepot import InvalidInput, Operator, Part, Unsupported
from entrepot.services import S3, Memory

PART = Part(1, '"x"', 7)


@pytest.fixture
def op() -> Operator:
    return Operator(S3(bucket="b", region="r", endpoint="http://127.0.0.1:1", access_key_id="a", secret_access_key="s"))


BAD = {
    "no id": lambda op: op.upload_part("k", "", 1, b"x"),
    "None for an id": lambda op: op.complete_upload("k", None, [PART]),
    "an id of bytes": lambda op: op.abort_upload("k", b"id"),
    "number 0": lambda op: op.upload_part("k", "id", 0, b"x"),
    "number 10,001": lambda op: op.upload_part("k", "id", 10_001, b"x"),
    "a part without bytes": lambda op: op.upload_part("k", "id", 1, b""),
    "text for bytes": lambda op: op.upload_part("k", "id", 1, "x"),
    "no parts": lambda op: op.complete_upload("k", "id", []),
    "parts that are text": lambda op: op.complete_upload("k", "id", "parts"),
    "an etag for a part": lambda op: op.complete_upload("k", "id", ['"x"']),
    "two parts of one number": lambda op: op.complete_upload("k", "id", [PART, PART]),
    "a condition": lambda op: op.start_upload("k", if_not_exists=True),
    "an append": lambda op: op.start_upload("k", append=True),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
async def test_a_bad_argument_is_refused(op: Operator, call) -> None:
    with pytest.raises(InvalidInput) as caught:
        await call(op)
    assert caught.value.path == "k"


async def test_a_service_without_parts_says_so() -> None:
    with pytest.raises(Unsupported, match="the service memory has no shared_upload"):
        await Operator(Memory()).start_upload("k")
    with pytest.raises(Unsupported, match="the service memory has no shared_upload"):
        Operator(Memory()).blocking().start_upload("k")

"""Deletions of many objects by one request, from stores of three protocols whose server may not have that."""

import pytest

from entrepot.raw import Context, OpDelete
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3, Azblob, Gcs
from entrepot.testing.transport import MockTransport, reply

CONFIGS: dict[str, S3 | Gcs | Azblob] = {
    "s3": S3(bucket="b", endpoint="http://127.0.0.1:9", region="r", access_key_id="AK", secret_access_key="SK"),
    "gcs": Gcs("bucket", token="t"),
    "azblob": Azblob("container", account_name="account", account_key="a2V5"),
}


def without_batches(request: HttpRequest) -> HttpResponse:
    headers = [("x-ms-request-id", "1"), ("x-ms-version", "1")]
    return reply(501 if request.method == "POST" else 204, headers=headers)


async def methods_of(name: str, *calls: list[OpDelete]) -> list[str]:
    """The methods of the requests of these calls, each of which deletes objects."""
    transport = MockTransport(without_batches)
    accessor = CONFIGS[name].build(Context(http=transport))
    for deletions in calls:
        _, body = await accessor.delete()
        for index, args in enumerate(deletions):
            await body.delete(f"{index}", args)
        await body.close()
    return [request.method for request in transport.requests]


@pytest.mark.parametrize("name", CONFIGS)
async def test_a_server_without_the_operation_is_asked_for_it_once(name: str) -> None:
    asked = 2 if name == "s3" else 1  # with the header of a checksum, which some refuse, and without
    assert await methods_of(name, [OpDelete()] * 2, [OpDelete()] * 3) == ["POST"] * asked + ["DELETE"] * 5


async def test_one_blob_beside_those_that_cannot_be_in_a_batch_is_deleted_alone_too() -> None:
    assert await methods_of("azblob", [OpDelete(), OpDelete(if_match='"1"')]) == ["DELETE"] * 2

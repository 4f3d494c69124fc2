"""What random access costs with entrepot and its peers: requests, connections and bytes, counted by the server.

    python -m benchmarks.random_access [--only WORKLOAD ...] [--with LIBRARY ...]

Needs `pip install -e '.[bench]'`. The server is on loopback and has one object, so the figures are exact and the time
says little. Each library opens the object as a file in the way that its documentation recommends for random access:
s3fs without a cache, obstore with a small buffer, and boto3 with a request for each read.
"""

import argparse
import io
import os
import time
from collections.abc import Callable
from typing import Any, Final

from entrepot import Operator
from entrepot.services import S3
from tests.integration.counting_server import CountingServer, counting
from tests.integration.random_access import CASES

KEYS: Final = ("access", "secret")
REGION: Final = "us-east-1"


def entrepot_file(url: str) -> Any:
    return _operator(url).open("key", "rb")


def entrepot_reader(url: str) -> Any:
    return _operator(url).reader("key")


def _operator(url: str) -> Any:
    config = S3(bucket="b", endpoint=url, region=REGION, access_key_id=KEYS[0], secret_access_key=KEYS[1])
    return Operator(config).blocking()


def s3fs_file(url: str) -> Any:
    from s3fs import S3FileSystem

    settings = {"endpoint_url": url, "client_kwargs": {"region_name": REGION}, "skip_instance_cache": True}
    return S3FileSystem(key=KEYS[0], secret=KEYS[1], **settings).open("b/key", "rb", cache_type="none")


def obstore_file(url: str) -> Any:
    from obstore import open_reader
    from obstore.store import S3Store

    keys = {"access_key_id": KEYS[0], "secret_access_key": KEYS[1]}
    store = S3Store("b", endpoint=url, region=REGION, client_options={"allow_http": True}, **keys)
    return open_reader(store, "key", buffer_size=8192)


def boto3_file(url: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": KEYS[0], "aws_secret_access_key": KEYS[1]}
    return _Boto3File(boto3.client("s3", endpoint_url=url, region_name=REGION, **keys))


class _Boto3File(io.RawIOBase):
    def __init__(self, client: Any) -> None:
        self._client = client
        self._size = client.head_object(Bucket="b", Key="key")["ContentLength"]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._size, self._position + len(buffer))
        if end <= self._position:
            return 0
        range_ = f"bytes={self._position}-{end - 1}"
        data = self._client.get_object(Bucket="b", Key="key", Range=range_)["Body"].read()
        self._position = end
        buffer[: len(data)] = data
        return len(data)


LIBRARIES: Final[dict[str, Callable[[str], Any]]] = {
    "entrepot open": entrepot_file,
    "entrepot reader": entrepot_reader,
    "s3fs": s3fs_file,
    "obstore": obstore_file,
    "boto3": boto3_file,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="workloads")
    parser.add_argument("--with", nargs="+", choices=LIBRARIES, default=list(LIBRARIES), dest="libraries")
    arguments = parser.parse_args()
    print("| Workload | Library | Requests | Connections | kB | Seconds |\n|---|---|---|---|---|---|")
    for case in arguments.only:
        make, use, _ = CASES[case]
        with counting(make()) as server:
            for library in arguments.libraries:
                print(f"| {case} | {library} | {_cost(server, LIBRARIES[library], use)} |", flush=True)


def _cost(server: CountingServer, open_: Callable[[str], Any], use: Callable[[Any], None]) -> str:
    server.reset()
    begin = time.perf_counter()
    try:
        use(open_(server.url))
    except Exception as error:  # noqa: BLE001 - a library whose files a format does not take
        return f"{type(error).__name__} | | |"
    seconds = time.perf_counter() - begin
    return f"{len(server.requests)} | {server.connections} | {server.sent / 1000:,.0f} | {seconds:.2f}"


if __name__ == "__main__":
    main()

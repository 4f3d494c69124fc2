"""What checksums cost in an upload, with entrepot and its peers, over HTTP and TLS.

    python -m benchmarks.uploads [--mib 256] [--rounds 3] [--with LIBRARY ...]

Needs `pip install -e '.[bench]'`. nginx poses as S3 and discards what it receives. Each upload runs in a process of its
own, in turn over the rounds; the table has the fastest round of each. What each library sends beside the content by
default is its own decision, so a line says what it was told and nothing else.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from .certificate import certify, trusting
from .null_s3 import null_s3

MIB: Final = 1024 * 1024
KEYS: Final = {"access_key_id": "access", "secret_access_key": "secret"}
REGION: Final = "us-east-1"


def entrepot(url: str, data: bytes, **options: Any) -> None:
    from entrepot import Operator
    from entrepot.services import S3

    op = Operator(S3(bucket="b", endpoint=url, region=REGION, **KEYS, **options))

    async def upload() -> None:
        async with op:
            await op.write("k", data, chunk=8 * MIB, concurrent=8)

    asyncio.run(upload())


def boto3(url: str, data: bytes) -> None:
    import io

    import boto3

    keys = {f"aws_{name}": value for name, value in KEYS.items()}
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, **keys)
    client.upload_fileobj(io.BytesIO(data), "b", "k")


def obstore(url: str, data: bytes, **options: Any) -> None:
    from obstore import put
    from obstore.store import S3Store

    store = S3Store("b", endpoint=url, region=REGION, client_options={"allow_http": True}, **KEYS, **options)
    put(store, "k", data, chunk_size=8 * MIB, max_concurrency=8, use_multipart=True)


def opendal(url: str, data: bytes, **options: str) -> None:
    from opendal import Operator

    op = Operator("s3", bucket="b", endpoint=url, region=REGION, **KEYS, **options)
    op.write("k", data, chunk=8 * MIB, concurrent=8)


UPLOADS: Final[dict[str, Callable[[str, bytes], None]]] = {
    "entrepot": entrepot,
    "entrepot, unsigned": lambda url, data: entrepot(url, data, unsigned_payload=True),
    "entrepot, CRC32": lambda url, data: entrepot(url, data, unsigned_payload=True, checksum_algorithm="crc32"),
    "entrepot, CRC32C": lambda url, data: entrepot(url, data, unsigned_payload=True, checksum_algorithm="crc32c"),
    "entrepot, CRC64NVME": lambda url, data: entrepot(url, data, unsigned_payload=True, checksum_algorithm="crc64nvme"),
    "boto3 (CRC32)": boto3,
    "obstore": obstore,
    "obstore, unsigned": lambda url, data: obstore(url, data, unsigned_payload=True),
    "obstore, SHA256": lambda url, data: obstore(url, data, unsigned_payload=True, checksum_algorithm="SHA256"),
    "opendal": opendal,
    "opendal, CRC32C": lambda url, data: opendal(url, data, checksum_algorithm="crc32c"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=256, help="size of the object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--with", nargs="+", choices=UPLOADS, default=list(UPLOADS), dest="libraries")
    parser.add_argument("--child", nargs=2, metavar=("LIBRARY", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _measure(*arguments.child, _content(arguments.mib * MIB))
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate, authority = certify(folder)
        (folder / "root" / "bench").mkdir(parents=True)
        (folder / "root" / "bench" / "small").write_bytes(b"x")
        server = stack.enter_context(null_s3(folder / "root", slow_rate=MIB, certificate=certificate))
        for scheme, url in (("http", server.url), ("https", server.tls_url)):
            _print_table(scheme, url, arguments, authority)


def _print_table(scheme: str, url: str, arguments: argparse.Namespace, authority: Path) -> None:
    environment = trusting(authority)
    found: dict[str, list[dict[str, float]]] = {library: [] for library in arguments.libraries}
    for _ in range(arguments.rounds):
        for library, rounds in found.items():
            command = [sys.executable, "-m", "benchmarks.uploads", "--mib", str(arguments.mib), "--child", library, url]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{library} over {scheme}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            else:
                rounds.append(json.loads(done.stdout))
    print(f"\n| {scheme} | MB/s | CPU s/GB |\n|---|---|---|")
    for library, rounds in found.items():
        size = arguments.mib * MIB
        if rounds:
            speed = max(size / one["seconds"] for one in rounds) / 1e6
            print(f"| {library} | {speed:,.0f} | {min(one['cpu'] for one in rounds) / size * 1e9:.2f} |")
        else:
            print(f"| {library} | fails | |")


def _content(size: int) -> bytes:
    """Bytes that are in memory, as a caller's are. `bytes(size)` is not until it is read, and that counts as CPU."""
    return bytes(range(256)) * (size // 256)


def _measure(library: str, url: str, data: bytes) -> None:
    """Uploads a first small object, which imports all that is needed and connects, and then measures."""
    UPLOADS[library](url, data[: 9 * MIB])
    begin, cpu = time.perf_counter(), _cpu()
    UPLOADS[library](url, data)
    print(json.dumps({"seconds": time.perf_counter() - begin, "cpu": _cpu() - cpu}))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()

"""The buckets that pages name, on a server of this machine, found by the variables that every library of S3 reads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from entrepot import Operator
from entrepot.services import S3
from entrepot.testing import S3Server
from entrepot.testing.servers.s3 import is_serving

BUCKETS = ("reports", "tables", "training", "uploads", "backups")


def variables(server: S3Server) -> dict[str, str]:
    """The environment in which every library finds this server, and nothing of this machine."""
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ALLOW_HTTP": "true",  # for obstore
        "AWS_REGION": server.region,
        "AWS_DEFAULT_REGION": server.region,
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def empty_buckets(server: S3Server) -> Iterator[None]:
    """Makes the buckets of the pages, empties them, and lets every library find them."""
    before = dict(os.environ)
    os.environ.update(variables(server))
    try:
        for bucket in BUCKETS:
            assert is_serving(replace(server, bucket=bucket))  # this makes the bucket
            fill(bucket, {})
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def fill(bucket: str, objects: dict[str, bytes]) -> None:
    """Gives a bucket these objects and no others."""
    with Operator(S3(bucket=bucket)).blocking() as op:
        op.delete("/", recursive=True)
        for path, content in objects.items():
            op.write(path, content)


def contents(bucket: str) -> dict[str, bytes]:
    """All objects of a bucket."""
    with Operator(S3(bucket=bucket)).blocking() as op:
        return {entry.path: op.read(entry.path) for entry in op.glob("**/*")}

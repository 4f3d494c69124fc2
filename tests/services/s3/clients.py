"""Clients of S3 for tests, with a clock of their own."""

from collections.abc import Callable
from datetime import datetime

from entrepot.raw import Accessor, OpCopy
from entrepot.raw.http import HttpTransport
from entrepot.raw.http.client import HttpClient
from entrepot.raw.oio.copy.api import copy_to_end
from entrepot.raw.runtime import Runtime
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services.s3.authentication.signer import S3Signer
from entrepot.services.s3.core import S3Core
from entrepot.signing import CredentialCache, Credentials
from entrepot.signing.clock import Clock, utc_now
from entrepot.types import Metadata


def s3_client(
    core: S3Core,
    keys: Credentials | None,
    transport: HttpTransport,
    runtime: Runtime,
    now: Callable[[], datetime] = utc_now,
    **options: bool,
) -> HttpClient[S3Core]:
    """A client that signs at the time of `now`; the options are those of `S3Signer`."""
    credentials = None if keys is None else CredentialCache.fixed(keys, runtime)
    signer = S3Signer(credentials, lambda: core.region or "", runtime, Clock(now), **options)
    return HttpClient(core, signer, transport, runtime)


async def copied(accessor: Accessor, source: str, target: str, args: OpCopy) -> Metadata:
    """The metadata of a copy that is made to its end."""
    _, body = await accessor.copy(source, target, args)
    return await copy_to_end(body, AsyncioRuntime())

"""Clients of S3 for tests, with a clock of their own."""

from collections.abc import Callable
from datetime import datetime

from entrepot.raw.http import HttpTransport
from entrepot.raw.http.client import HttpClient
from entrepot.raw.runtime import Runtime
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.signer import S3Signer, utc_now
from entrepot.signing.aws import Signer


def s3_client(
    core: S3Core,
    signer: Signer | None,
    transport: HttpTransport,
    runtime: Runtime,
    now: Callable[[], datetime] = utc_now,
    **options: bool,
) -> HttpClient[S3Core]:
    """A client that signs at the time of `now`; the options are those of `S3Signer`."""
    return HttpClient(core, S3Signer(signer, runtime, now, **options), transport, runtime)

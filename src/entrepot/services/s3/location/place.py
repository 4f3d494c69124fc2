"""Where a bucket is, as it becomes known.

Theory of operation. The configuration and the environment give an address at once, the *nominal* one, for which the
dialect builds requests. It is final where they settle everything. Where they do not, the first request finds the rest:
the files of the AWS tools are read in a thread, and if no region is configured at all, an unsigned HEAD of the bucket
in `us-east-1` returns it. From then on a request is moved from the nominal address to the real one before it is signed.

A region that was wrong is corrected by what Amazon says when it refuses a request. The new host is derived from the
region alone, in the same partition; the Location of a redirect is only read for the region in it. Where an endpoint is
configured, the host never changes, but requests are signed for the region that the endpoint names. So credentials are
sent only to hosts that were configured or follow from a region.

All event loops and threads share one address, which is replaced as a whole. On each event loop one task finds it, and
the others wait. If that fails or is cancelled, nothing is kept, and the next task tries.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from entrepot.raw import Context
from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.errors import status_error
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpTransport
from entrepot.raw.http.xml import find_text
from entrepot.raw.runtime import Runtime
from entrepot.services.s3.errors import REGION_CODES, stated_code
from entrepot.services.s3.invalid import invalid
from entrepot.signing.aws_partitions import partition_of
from entrepot.signing.aws_profile import NO_FILES, ProfileFiles, profile_name
from entrepot.types.records import replace

from .address import DEFAULT_REGION, REGION, Address, Settings, address_of
from .buckets import access_point_of, zone_of
from .environment import settings_of
from .hosts import amazon_host
from .options import LocationOptions

REGION_HEADER: Final = "x-amz-bucket-region"

_LOCATED: Final = frozenset({200, 301, 307, 400, 403})
"""The statuses of a HEAD of a bucket that exists."""


class BucketPlace:
    """Where one bucket is.

    Arguments:
        bucket: its name, or the ARN of an access point.
        settings: the settings of the configuration, which win over all others.
        http: sends the request that finds the region.
        runtime: has a lock, and the thread that reads files.
        check: refuses a URL that the configuration excludes.
        environ: the environment variables; None reads neither them nor files.
        profile: the profile in the files; None is the one that the environment selects.

    Attributes:
        address: the address, once it is known. Only this object sets it.
        nominal: the address that follows without any I/O.

    Raises:
        ConfigInvalid: the settings of the configuration or the environment are not valid, or exclude each other.
    """

    __slots__ = (
        "_bucket",
        "_check",
        "_environ",
        "_explicit",
        "_http",
        "_load_files",
        "_lock",
        "_profile",
        "_runtime",
        "_settings",
        "address",
        "nominal",
    )

    def __init__(
        self,
        bucket: str,
        settings: Settings,
        http: HttpTransport,
        runtime: Runtime,
        check: Callable[[str], None],
        environ: Mapping[str, str] | None = None,
        profile: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._explicit = settings
        self._http = http
        self._runtime = runtime
        self._check = check
        self._environ = environ
        self._profile = profile
        self._settings = (
            settings if environ is None else self._completed(settings_of(environ, NO_FILES, NO_FILES.profile()))
        )
        self.nominal = self._addressed(self._settings)
        self._load_files = _files_loader() if self._needs_files else None
        self.address: Address | None = None if self._needs_files or self._needs_region else self.nominal
        self._lock = runtime.local(runtime.lock)

    def region(self) -> str:
        """The region of the bucket, as far as it is known."""
        return (self.address or self.nominal).region

    async def find(self) -> Address:
        """The address. The first call reads the files and asks for the region, where that is needed.

        Raises:
            ConfigInvalid: a file is malformed, its settings are not valid, the bucket does not exist, or its region
                cannot be found out.
            Error: the request for the region failed.
        """
        if self.address is not None:
            return self.address
        async with await self._lock.get():
            if self.address is None:
                self.address = await self._found()
            return self.address

    def moved(self, request: HttpRequest, address: Address) -> HttpRequest:
        """A request that the dialect built, to the address that was found."""
        return request if address is self.nominal else address.moved(request, self.nominal)

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Adopts the region that the refusal of a request names. Returns the request if another attempt can help."""
        current, region = self.address, _stated_region(refusal)
        if current is None or region is None or not _is_misdirected(refusal):
            return None
        if region == current.region:  # another task may have corrected it since the request was signed
            return None if _was_sent_to(current, refusal.sent) else refusal.request
        if _is_redirect(refusal.status) and not current.is_derived:
            return None
        if partition_of(region) is not partition_of(current.region):
            return None
        self.address = self._at(current, region)
        return refusal.request

    def _at(self, current: Address, region: str) -> Address:
        if not current.is_derived:
            return replace(current, region=region)
        return self._addressed(replace(self._settings, region=region))

    def _addressed(self, settings: Settings) -> Address:
        address = address_of(self._bucket, settings)
        self._check(address.url)
        return address

    @property
    def _needs_files(self) -> bool:
        """Whether the files may say more. Beside an endpoint in the configuration, they say only the region."""
        return self._environ is not None and (self._explicit.endpoint is None or self._settings.region is None)

    @property
    def _needs_region(self) -> bool:
        return not self._settings.has_region and access_point_of(self._bucket) is None

    async def _found(self) -> Address:
        if self._load_files is not None and self._environ is not None:
            files = await self._load_files(self._runtime, self._environ)
            profile = files.profile(self._profile or profile_name(self._environ))
            self._settings = self._completed(settings_of(self._environ, files, profile))
        if self._needs_region:
            self._settings = replace(self._settings, region=await self._detected())
        address = self._addressed(self._settings)
        return self.nominal if address == self.nominal else address

    def _completed(self, found: Settings) -> Settings:
        """The settings of the configuration, completed by settings from elsewhere."""
        return self._explicit.over(found if self._explicit.endpoint is None else Settings(region=found.region))

    async def _detected(self) -> str:
        """The region of the bucket, from the response to an unsigned HEAD (HeadBucket)."""
        if zone_of(self._bucket) is not None:
            raise invalid("the region of a directory bucket cannot be found out: set region")
        address = address_of(self._bucket, replace(self._settings, virtual_host=False, accelerate=None))
        response = await self._http.send(HttpRequest("HEAD", address.url, [("Host", address.host)]))
        await response.body.close()
        if response.status == 404:
            raise invalid(f"there is no bucket {self._bucket} at Amazon").add_context(status=404)
        if response.status not in _LOCATED:
            raise status_error(response.status, response.headers)
        region = _region_in(response.headers)
        if region is not None and partition_of(region) is partition_of(address.region):
            return region
        if region is None and response.status in (200, 403):
            return DEFAULT_REGION
        raise invalid(f"the region of the bucket {self._bucket} cannot be found out: set region")


def bucket_place(options: LocationOptions, context: Context) -> BucketPlace:
    """Where the bucket of a configuration is. Operators of one context that agree in all that matters share it. No I/O.

    Raises:
        ConfigInvalid: the settings of the environment are not valid, or exclude each other.
    """
    settings, profile = options.address_settings, options.profile or None
    environ = os.environ if options.reads_environment else None
    http, runtime = context.http, context.runtime
    connections = options.allow_http, options.http_settings
    return context.shared(
        ("s3 place", options.bucket, settings, profile, options.reads_environment, connections),
        lambda: BucketPlace(options.bucket, settings, http, runtime, options.check_scheme, environ, profile),
    )


def _files_loader() -> Callable[[Runtime, Mapping[str, str]], Awaitable[ProfileFiles]]:
    """`load_files`, imported with its parser where an operator is built that reads the files."""
    from entrepot.signing.aws_profile_files import load_files

    return load_files


def _is_misdirected(refusal: Refusal) -> bool:
    """Whether the region may be why a request was refused. The response to a HEAD has no code."""
    is_bare = refusal.status == 400 and not refusal.content
    return is_bare or _is_redirect(refusal.status) or stated_code(refusal.content) in REGION_CODES


def _is_redirect(status: int) -> bool:
    return 300 <= status < 400 and status != 304


def _stated_region(refusal: Refusal) -> str | None:
    """The region that a refusal names: in a header, in its content, or in the host that a redirect names."""
    if (region := _region_in(refusal.headers)) is not None:
        return region
    if (region := find_text(refusal.content, b"Region")) is not None:
        return region if REGION.fullmatch(region) else None
    if not _is_redirect(refusal.status):
        return None
    location = refusal.headers.get("location", "").partition("://")[2].partition("/")[0]
    named = location or find_text(refusal.content, b"Endpoint") or ""
    amazon = amazon_host(named.partition(":")[0].lower())
    return None if amazon is None else amazon.region


def _region_in(headers: HttpHeaders) -> str | None:
    region = headers.get(REGION_HEADER, "")
    return region if REGION.fullmatch(region) else None


def _was_sent_to(address: Address, request: HttpRequest) -> bool:
    """Whether a request went to an address, signed for its region."""
    authorization = next((value for name, value in request.headers if name == "Authorization"), None)
    is_for_region = authorization is None or f"/{address.region}/" in authorization
    return is_for_region and request.url.startswith(address.url)

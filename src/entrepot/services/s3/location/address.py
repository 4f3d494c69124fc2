"""The address of a bucket, pure: its URL, the Host header and the region that requests are signed for.

The sources are "Virtual hosting of buckets", "Using dual-stack endpoints" and "Using Amazon S3 Transfer Acceleration"
in the Amazon S3 User Guide. A test compares the addresses at Amazon with the endpoint rules of botocore.
"""

import re
from typing import TYPE_CHECKING, Final, Self

from entrepot.raw.http.endpoint import Endpoint, parse_endpoint
from entrepot.raw.http.transport import HttpRequest
from entrepot.services.s3.invalid import invalid
from entrepot.signing.aws_partitions import Partition, partition_of
from entrepot.types.patterns import pattern
from entrepot.types.records import field_names, replace

from .buckets import AccessPoint, access_point_of, can_be_in_host, is_in_host_at_amazon, zone_of
from .hosts import amazon_host

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

DEFAULT_REGION: Final = "us-east-1"
"""The region of an endpoint whose name does not state another, and of a bucket that is not located yet."""

REGION: Final = pattern(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

_WITHOUT_VARIANTS: Final = frozenset({"aws-cn"})
"""The partitions in which S3 has neither FIPS endpoints nor Transfer Acceleration."""

_IP_ADDRESS: Final = pattern(r"\[.*|[0-9.]+(:[0-9]+)?")
_REGIONS_IN_HOSTS: Final = (
    pattern(r".+\.r2\.cloudflarestorage\.com()"),
    pattern(r"storage\.googleapis\.com()"),
    pattern(r"(?:.+\.)?(oss-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com"),
    pattern(r"(?:.+\.)?cos\.([a-z0-9-]+)\.myqcloud\.com"),
    pattern(r"(?:.+\.)?s3\.([a-z0-9-]+)\.(?:wasabisys\.com|backblazeb2\.com|scw\.cloud)"),
)
"""Servers whose host names state the region. Where it does not, the region is `auto`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the address of a bucket, from one source of configuration. None means that the source has none.

    Arguments:
        region: the region.
        endpoint: the URL of the server, normalized.
        virtual_host: whether the bucket is in the host name instead of the path.
        dualstack: whether the host name has IPv6 addresses too.
        fips: whether the endpoint must be validated for FIPS 140.
        accelerate: whether requests go through the edge locations of Transfer Acceleration.
        arn_region: whether the region of an access point wins over `region`.
    """

    region: str | None = None
    endpoint: str | None = None
    virtual_host: bool | None = None
    dualstack: bool | None = None
    fips: bool | None = None
    accelerate: bool | None = None
    arn_region: bool | None = None

    def over(self, other: Self) -> Self:
        """These settings, completed by the settings of a source of lower rank."""
        stated = {name: getattr(self, name) for name in field_names(Settings)}
        return replace(other, **{name: value for name, value in stated.items() if value is not None})

    @property
    def has_region(self) -> bool:
        """Whether the region follows from the settings, so that Amazon need not be asked for it."""
        return self.region is not None or self.endpoint is not None


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go.

    Arguments:
        url: the URL of the bucket, without a slash at its end.
        host: the value of the Host header.
        region: the region that requests are signed for.
        is_derived: whether the host follows from the region, so that another region means another host.
    """

    url: str
    host: str
    region: str
    is_derived: bool = False

    def moved(self, request: HttpRequest, origin: "Address") -> HttpRequest:
        """A request to the address `origin`, to this one."""
        rest = request.url.removeprefix(origin.url)
        if rest.startswith(("?", "/?")):  # about the bucket itself: no key is empty
            rest = f"{'' if '/' in self.url.partition('://')[2] else '/'}{rest.removeprefix('/')}"
        headers = [("Host", self.host) if name == "Host" else (name, value) for name, value in request.headers]
        return replace(request, url=self.url + rest, headers=headers)


def address_of(bucket: str, settings: Settings) -> Address:
    """The address of a bucket or an access point. Without a region it is the one in `us-east-1`.

    Raises:
        ConfigInvalid: the settings exclude each other.
    """
    if settings.region is not None and not REGION.fullmatch(settings.region):
        raise invalid("region must consist of letters, digits, '-' and '_'")
    if settings.endpoint is not None:
        _check_with_endpoint(settings)
    if (access_point := access_point_of(bucket)) is not None:
        return _at_access_point(access_point, settings)
    if settings.endpoint is not None:
        return _at_endpoint(bucket, settings.endpoint, settings)
    if (zone := zone_of(bucket)) is not None:
        return _in_zone(bucket, zone, settings)
    return _at_amazon(bucket, settings)


def endpoint_of(text: str) -> Endpoint:
    """An endpoint as users write it, in which `https://` may be left out.

    Raises:
        ConfigInvalid: it is not valid.
    """
    return parse_endpoint(text if "://" in text else f"https://{text}")


def region_of_host(endpoint: str) -> str | None:
    """The region that the host of an endpoint states; None if it does not."""
    host = endpoint.partition("://")[2].partition("/")[0].partition(":")[0]
    if (amazon := amazon_host(host)) is not None:
        return amazon.region
    for expression in _REGIONS_IN_HOSTS:
        if (match := expression.fullmatch(host)) is not None:
            return match[1] or "auto"
    return None


def _at_amazon(bucket: str, settings: Settings) -> Address:
    region = settings.region or DEFAULT_REGION
    partition = partition_of(region)
    if settings.accelerate:
        _check_accelerated(bucket, settings, partition)
        host = f"{bucket}.s3-accelerate{'.dualstack' if settings.dualstack else ''}.{partition.suffix}"
        return Address(f"https://{host}", host, region, is_derived=True)
    _check_fips(settings, partition)
    host = f"s3{_variant(settings)}.{region}.{partition.suffix}"
    is_virtual = is_in_host_at_amazon(bucket) if settings.virtual_host is None else settings.virtual_host
    return _with_bucket(bucket, "https", host, "", region, is_virtual=is_virtual, is_derived=True)


def _in_zone(bucket: str, zone: str, settings: Settings) -> Address:
    """The zonal endpoint of a directory bucket, which has no path style."""
    if settings.virtual_host is False or settings.accelerate:
        raise invalid(
            "bucket is a directory bucket, which has neither path style nor Transfer Acceleration: leave out "
            "enable_virtual_host_style and use_accelerate_endpoint"
        )
    region = settings.region or DEFAULT_REGION
    partition = partition_of(region)
    _check_fips(settings, partition)
    fips, dualstack = "-fips" if settings.fips else "", ".dualstack" if settings.dualstack else ""
    host = f"{bucket}.s3express{fips}-{zone}{dualstack}.{region}.{partition.suffix}"
    return Address(f"https://{host}", host, region)


def _at_endpoint(bucket: str, endpoint: str, settings: Settings) -> Address:
    scheme, _, rest = endpoint.partition("://")
    authority, slash, prefix = rest.partition("/")
    region = settings.region or region_of_host(endpoint) or DEFAULT_REGION
    if settings.virtual_host:
        authority = authority.removeprefix(f"{bucket}.")
    return _with_bucket(bucket, scheme, authority, slash + prefix, region, is_virtual=bool(settings.virtual_host))


def _with_bucket(
    bucket: str, scheme: str, host: str, prefix: str, region: str, *, is_virtual: bool, is_derived: bool = False
) -> Address:
    if not is_virtual:
        return Address(f"{scheme}://{host}{prefix}/{bucket}", host, region, is_derived)
    if not can_be_in_host(bucket):
        raise invalid("bucket cannot be part of a host name as it stands: set enable_virtual_host_style to False")
    if _IP_ADDRESS.fullmatch(host):
        raise invalid(
            "endpoint is an IP address, which cannot have the bucket in front of it: "
            "set enable_virtual_host_style to False"
        )
    host = f"{bucket}.{host}"
    return Address(f"{scheme}://{host}{prefix}", host, region, is_derived)


def _at_access_point(point: AccessPoint, settings: Settings) -> Address:
    partition = partition_of(point.region)
    if settings.virtual_host is False:
        raise invalid(
            "bucket is an access point, which has a host name of its own: leave out enable_virtual_host_style"
        )
    if settings.accelerate:
        raise invalid("bucket is an access point, which Transfer Acceleration does not reach: leave it off")
    if partition.name != point.partition:
        raise invalid("bucket is an access point whose region is not in the partition that its ARN names")
    _check_point_region(point, settings)
    if settings.endpoint is not None:
        scheme, _, rest = settings.endpoint.partition("://")
        authority, slash, prefix = rest.partition("/")
        host = f"{point.label}.{authority}"
        return Address(f"{scheme}://{host}{slash}{prefix}", host, point.region)
    _check_fips(settings, partition)
    host = f"{point.label}.s3-accesspoint{_variant(settings)}.{point.region}.{partition.suffix}"
    return Address(f"https://{host}", host, point.region)


def _variant(settings: Settings) -> str:
    return f"{'-fips' if settings.fips else ''}{'.dualstack' if settings.dualstack else ''}"


def _check_with_endpoint(settings: Settings) -> None:
    for name in ("dualstack", "fips", "accelerate"):
        if getattr(settings, name):
            raise invalid(f"use_{name}_endpoint is set beside endpoint, which has a host of its own: leave out one")


def _check_accelerated(bucket: str, settings: Settings, partition: Partition) -> None:
    reasons = (
        (partition.name in _WITHOUT_VARIANTS, "the region has no Transfer Acceleration"),
        (settings.fips, "there is none with FIPS"),
        (settings.virtual_host is False, "it has the bucket in its host name: leave out enable_virtual_host_style"),
        (not is_in_host_at_amazon(bucket), "it has the bucket in its host name, which this bucket cannot be part of"),
    )
    for applies, reason in reasons:
        if applies:
            raise invalid(f"use_accelerate_endpoint cannot be used: {reason}")


def _check_fips(settings: Settings, partition: Partition) -> None:
    if settings.fips and partition.name in _WITHOUT_VARIANTS:
        raise invalid("use_fips_endpoint cannot be used: the partition of the region has no such endpoints")


def _check_point_region(point: AccessPoint, settings: Settings) -> None:
    """Refuses an access point elsewhere: in another partition always, in another region where that is configured."""
    if settings.region is None or settings.region == point.region:
        return
    if partition_of(settings.region).name != point.partition:
        raise invalid("bucket is an access point in another partition than region")
    if settings.arn_region is False:
        raise invalid("bucket is an access point in another region than region, which use_arn_region=False refuses")

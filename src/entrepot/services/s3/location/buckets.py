"""Names of buckets, and access points, which are used in the place of a bucket.

The sources are "Bucket naming rules" and "Referencing access points" in the Amazon S3 User Guide. Names are checked
before anything is sent. Older buckets and other servers have names that Amazon no longer accepts, so only those are
refused that no server can have. No error shows a name that is refused: an unencoded secret in a URI can become part of
it.
"""

import re
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.raw.config import hint_of_place
from entrepot.services.s3.invalid import invalid
from entrepot.types.patterns import pattern

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_BUCKET: Final = pattern(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,254}", re.ASCII)
_IP_ADDRESS: Final = pattern(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)
_HOST_LABEL: Final = pattern(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_AMAZON_LABEL: Final = pattern(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)
_ACCESS_POINT: Final = pattern(r"[a-z0-9][a-z0-9-]{1,48}[a-z0-9]", re.ASCII)
_ACCOUNT: Final = pattern(r"[0-9]{12}", re.ASCII)
_REGION: Final = pattern(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_OUTPOST_ALIAS: Final = "--op-s3"


_DIRECTORY_BUCKET: Final = pattern(r".+--([a-z0-9-]+-az[0-9]+)--x-s3", re.ASCII)


def zone_of(bucket: str) -> str | None:
    """The id of the zone of a directory bucket, such as `"use1-az4"`; None for other buckets."""
    match = _DIRECTORY_BUCKET.fullmatch(bucket)
    return None if match is None else match[1]


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """An access point of one region.

    Arguments:
        name: its name.
        account: the number of the account that owns it.
        region: its region.
        partition: the name of the partition of the region.
    """

    name: str
    account: str
    region: str
    partition: str

    @property
    def label(self) -> str:
        """Its label in a host name."""
        return f"{self.name}-{self.account}"


def check_bucket(bucket: str) -> None:
    """Refuses what can be neither the name of a bucket nor the ARN of an access point.

    Raises:
        ConfigInvalid: it cannot.
    """
    if not bucket:
        raise invalid("bucket is missing: set it to the name of the bucket")
    if access_point_of(bucket) is not None:
        return
    if not _BUCKET.fullmatch(bucket):
        raise invalid(
            "bucket must consist of letters, digits, '.', '_' and '-', and begin with one of the first two"
            + hint_of_place(bucket)
        )
    if _IP_ADDRESS.fullmatch(bucket):
        raise invalid(
            "bucket has the form of an IP address, which no bucket can have: set it to the name of the bucket"
        )
    if bucket.endswith(_OUTPOST_ALIAS):
        raise invalid("bucket is the alias of an access point of S3 on Outposts, which is not supported")


def is_arn(bucket: str) -> bool:
    """Whether it is an ARN instead of a name."""
    return bucket.startswith("arn:")


def access_point_of(bucket: str) -> AccessPoint | None:
    """The access point that a bucket's ARN names; None if it is not an ARN.

    Raises:
        ConfigInvalid: it is an ARN of something else than an access point in one region.
    """
    if not is_arn(bucket):
        return None
    parts = bucket.split(":", 5)
    if len(parts) != 6:
        raise _no_access_point()
    _, partition, service, region, account, resource = parts
    _check_service(service, region, account)
    kind, name = _kind_and_name(resource)
    if kind != "accesspoint" or not _ACCESS_POINT.fullmatch(name):
        raise _no_access_point()
    if not (_ACCOUNT.fullmatch(account) and _REGION.fullmatch(region)):
        raise _no_access_point()
    return AccessPoint(name, account, region, partition)


def can_be_in_host(bucket: str) -> bool:
    """Whether the name of a bucket can be the first label of a host name."""
    return _HOST_LABEL.fullmatch(bucket) is not None


def is_in_host_at_amazon(bucket: str) -> bool:
    """Whether Amazon answers for a bucket under a host name of its own, with a certificate that has it."""
    return _AMAZON_LABEL.fullmatch(bucket) is not None


def _kind_and_name(resource: str) -> tuple[str, str]:
    """The parts of a resource; both separators are in use."""
    kind, separator, name = resource.partition("/" if "/" in resource else ":")
    return (kind, name) if separator else ("", resource)


def _check_service(service: str, region: str, account: str) -> None:
    if service == "s3-object-lambda":
        raise invalid("bucket is an access point of S3 Object Lambda, by ARN: set bucket to the alias of it instead")
    if service == "s3-outposts":
        raise invalid("bucket is an access point of S3 on Outposts, which is not supported")
    if service != "s3":
        raise _no_access_point()
    if not region and not account:
        raise invalid("bucket is the ARN of a bucket: set it to the name of the bucket")
    if not region:
        raise invalid(
            "bucket is a multi-region access point, whose requests need Signature Version 4A, which is not supported: "
            "set it to an access point in one region, or to a bucket"
        )


def _no_access_point() -> ConfigInvalid:
    return invalid("bucket is not the ARN of an access point: arn:aws:s3:<region>:<account>:accesspoint/<name>")

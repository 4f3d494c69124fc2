"""Host names of AWS: the parts of the name of an S3 endpoint.

The source is "Amazon Simple Storage Service endpoints and quotas" in the AWS General Reference.
"""

import re
from typing import TYPE_CHECKING, Final

from entrepot.signing.aws_partitions import PARTITIONS
from entrepot.types.patterns import pattern

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_SUFFIXES: Final = "|".join(sorted({re.escape(partition.suffix) for partition in PARTITIONS}, key=len, reverse=True))
_ENDPOINT: Final = pattern(
    rf"(?:(?P<bucket>.+)\.)?s3(?P<fips>-fips)?(?P<dualstack>[.-]dualstack)?(?:[.-](?P<region>[a-z]{{2,4}}(?:-[a-z]+)+-[0-9]+))?"
    rf"(?P<vpce>\.vpce)?\.(?:{_SUFFIXES})\.?"
)


@dataclass(frozen=True, slots=True)
class AmazonHost:
    """The parts of the name of an S3 endpoint of AWS.

    Arguments:
        bucket: the bucket in front of it; None if there is none.
        region: the region; None for the endpoint without one, `s3.amazonaws.com`.
        is_fips: whether it is validated for FIPS 140.
        is_dualstack: whether it has IPv6 addresses too.
        is_private: whether it is the endpoint of a private network (VPC), whose name starts with its own labels.
    """

    bucket: str | None
    region: str | None
    is_fips: bool = False
    is_dualstack: bool = False
    is_private: bool = False


def amazon_host(host: str) -> AmazonHost | None:
    """Reads the name of an S3 endpoint of AWS; None if the host is not one."""
    if (match := _ENDPOINT.fullmatch(host)) is None:
        return None
    is_private = match["vpce"] is not None
    bucket = None if is_private else match["bucket"]
    return AmazonHost(bucket, match["region"], bool(match["fips"]), bool(match["dualstack"]), is_private)


def is_of_amazon(host: str) -> bool:
    """Whether a host belongs to AWS, whatever it serves."""
    return host.endswith(tuple(f".{partition.suffix}" for partition in PARTITIONS))

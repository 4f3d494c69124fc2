"""The partitions of AWS, each a set of regions with accounts and DNS names of its own.

The sources are "Amazon Simple Storage Service endpoints and quotas" and "AWS IAM Identity Center endpoints and quotas"
in the AWS General Reference. Tests compare the table with the endpoint data of botocore.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition.

    Arguments:
        name: its name, as in ARNs: `"aws-cn"`.
        region: the start of the names of its regions; empty for the partition of all others.
        suffix: the DNS suffix of its endpoints.
        dual_stack_suffix: the DNS suffix of endpoints that have IPv6 addresses too. S3 does not use it.
    """

    name: str
    region: str
    suffix: str
    dual_stack_suffix: str


PARTITIONS: Final = (
    Partition("aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"),
    Partition("aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    Partition("aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    Partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    Partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    Partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    Partition("aws", "", "amazonaws.com", "api.aws"),
)
"""All partitions. The last one, the commercial one, has the regions of unknown form too."""


def partition_of(region: str) -> Partition:
    """The partition that a region belongs to."""
    return next(partition for partition in PARTITIONS if region.startswith(partition.region))

"""The endpoints of the AWS services that give out credentials.

The sources are "AWS STS Regions and endpoints" in the AWS IAM User Guide and "AWS IAM Identity Center endpoints and
quotas" in the AWS General Reference. A test compares them with the endpoint rules of botocore.
"""

from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.types.patterns import pattern

from .aws_partitions import partition_of

GLOBAL_REGION: Final = "us-east-1"
"""The region that signs requests to the global endpoint of STS."""

_REGION: Final = pattern(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]+")
_HOSTS: Final = {"sts": "sts", "sso": "portal.sso", "sso_oidc": "oidc"}


def is_region(text: str) -> bool:
    """Whether a text has the form of a region of AWS. Other stores have regions such as `"auto"`."""
    return _REGION.fullmatch(text) is not None


def service_endpoint(service: str, region: str | None, *, is_fips: bool = False, is_dual_stack: bool = False) -> str:
    """The URL of a service in a region.

    Arguments:
        service: `"sts"`, `"sso"` or `"sso_oidc"`.
        region: the region. None is the global endpoint, which only STS has.
        is_fips: whether to use the endpoint with validated cryptography (FIPS 140).
        is_dual_stack: whether to use the endpoint that is reached by IPv6 too.

    Raises:
        ConfigInvalid: the region is not one of AWS.
    """
    host = _HOSTS[service]
    if region is None:
        return f"https://{host}.amazonaws.com"
    if not is_region(region):
        raise ConfigInvalid(f"the region that is configured for {service} is not one of AWS", operation="configure")
    partition = partition_of(region)
    if is_fips and partition.name != "aws-us-gov":  # all endpoints of that partition are validated
        host = f"{host}-fips"
    return f"https://{host}.{region}.{partition.dual_stack_suffix if is_dual_stack else partition.suffix}"

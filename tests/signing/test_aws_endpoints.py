"""The endpoints of STS and SSO, beside those of botocore."""

import json
from gzip import decompress
from pathlib import Path

import botocore
import pytest
from botocore.endpoint_provider import EndpointProvider

from entrepot.errors import ConfigInvalid
from entrepot.signing.aws_endpoints import service_endpoint

DATA = Path(botocore.__file__).parent / "data"
SERVICES = {"sts": "sts/2011-06-15", "sso": "sso/2019-06-10", "sso_oidc": "sso-oidc/2019-06-10"}
PARTITIONS = json.loads((DATA / "partitions.json").read_bytes())
REGIONS = sorted(
    region for partition in PARTITIONS["partitions"] for region in partition["regions"] if "global" not in region
)


@pytest.mark.parametrize("service", SERVICES)
def test_endpoints_are_those_of_botocore(service: str) -> None:
    rules = json.loads(decompress((DATA / SERVICES[service] / "endpoint-rule-set-1.json.gz").read_bytes()))
    theirs = EndpointProvider(rules, PARTITIONS)
    for region in REGIONS:
        for is_fips, is_dual_stack in [(False, False), (False, True), (True, False)]:
            given = {"Region": region, "UseFIPS": is_fips, "UseDualStack": is_dual_stack}
            ours = service_endpoint(service, region, is_fips=is_fips, is_dual_stack=is_dual_stack)
            assert ours == theirs.resolve_endpoint(**given).url


def test_a_region_that_would_become_part_of_another_host_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="the region that is configured for sts is not one of AWS"):
        service_endpoint("sts", "eu-west-1.example.com/")


def test_sts_has_a_global_endpoint() -> None:
    assert service_endpoint("sts", None) == "https://sts.amazonaws.com"

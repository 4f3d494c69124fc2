"""The identity of a workload in AWS, as a token that Google exchanges: a signed request that it may send to AWS.

The source is "AWS" in AIP-4117 (external accounts): the request is GetCallerIdentity of STS, signed with Signature
Version 4, with the audience in a header, so that it is valid for this audience only.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.transport import HttpRequest
from entrepot.signing.aws import (
    ALGORITHM,
    EMPTY_SHA256,
    TOKEN_HEADER,
    Credentials,
    SigningKey,
    canonical_headers,
    canonical_request,
)
from entrepot.signing.aws_sources import AwsOptions, default_provider
from entrepot.signing.aws_sources import Machine as AwsMachine

from .source import Machine, required

TARGET: Final = "x-goog-cloud-target-resource"
_HOST_END: Final = (".amazonaws.com", ".amazonaws.com.cn")


async def signed_identity(source: Mapping[str, Any], audience: str, machine: Machine) -> str:
    """The token. Keys and region come from where the AWS tools have them.

    Arguments:
        source: `credential_source` of the external account.
        audience: its audience.
        machine: has the environment.

    Raises:
        ConfigInvalid: there is no region, or the URL is not one of AWS.
        PermissionDenied: there are no keys.
    """
    name = "credential_source of the external account"
    [template] = required(name, source, "regional_cred_verification_url")
    aws = AwsMachine(AwsOptions(), machine.environ, machine.http, machine.runtime, machine.clock)
    region = (await aws.scope()).region
    if region is None:
        raise ConfigInvalid("the external account is one of AWS, and there is no region: set AWS_REGION")
    url = template.replace("{region}", region)
    parts = urlsplit(url)
    if parts.scheme != "https" or not (parts.hostname or "").endswith(_HOST_END):
        raise ConfigInvalid("regional_cred_verification_url of the external account is not one of AWS")
    keys = await default_provider(aws).load()
    headers = signed_headers(parts.netloc, parts.query, audience, keys, region, machine.clock())
    return quote(json.dumps({"url": url, "method": "POST", "headers": headers}), safe="")


def signed_headers(
    host: str, query: str, audience: str, keys: Credentials, region: str, now: datetime
) -> list[dict[str, str]]:
    """The headers of the request: only those that Google names, without the hash of the content.

    Arguments:
        host: the host of STS.
        query: the query of the request.
        audience: the audience of the external account.
        keys: sign the request.
        region: the region of STS.
        now: the time, in UTC.
    """
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    headers = [("host", host), ("x-amz-date", stamp), (TARGET, audience)]
    if keys.session_token is not None:
        headers.append((TOKEN_HEADER, keys.session_token))
    key = SigningKey(keys, region, "sts", stamp[:8])
    request = HttpRequest("POST", f"https://{host}/?{query}", headers)
    signature = key.signature(stamp, canonical_request(request, EMPTY_SHA256))
    scope, names = f"{keys.access_key_id}/{key.scope}", canonical_headers(headers)[1]
    value = f"{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}"
    return [{"key": name, "value": text} for name, text in (*headers, ("Authorization", value))]

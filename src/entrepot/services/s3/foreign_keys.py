"""Keys of OpenDAL, object_store, boto3 and s3fs that users bring along, and that are not configuration here."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from .invalid import invalid

_WITHOUT_EFFECT: Final = frozenset(
    {
        "enable_versioning",  # OpenDAL ignores these six itself
        "batch_max_operations",
        "delete_max_size",
        "disable_stat_with_override",
        "disable_write_with_if_match",
        "enable_write_with_append",
        "disable_tagging",  # tags are sent only where a call has some
        "http1_only",  # HTTP/1.1 is the version that is spoken
        "http2_keep_alive_interval",
        "http2_keep_alive_timeout",
        "http2_keep_alive_while_idle",
        "s3_express",  # the name of a directory bucket says that it is one
        "randomize_addresses",
        "s3_allow_unsafe_rename",  # these two of delta-rs are about the commits of its tables
        "s3_locking_provider",
    }
)

_ONLY: Final = {"copy_if_not_exists": "multipart", "conditional_put": "etag"}
"""Keys with one accepted value, which is the behaviour without the key."""

_VARIABLES: Final = {
    "metadata_endpoint": "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "container_credentials_relative_uri": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "container_credentials_full_uri": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "container_authorization_token_file": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "endpoint_url_sts": "AWS_ENDPOINT_URL_STS",
}
"""Keys that are set in the environment, as every AWS SDK reads them."""

_ELSEWHERE: Final = {
    "use_ssl": "the scheme of endpoint, http:// or https://, says so",
    "verify": "set ca_file, or allow_invalid_certificates",
    **dict.fromkeys(("client_kwargs", "config_kwargs", "config"), "set what is in it by keys of this service"),
}
"""Keys of boto3 and s3fs that have no single key here, and what to do."""

_FALLBACKS: Final = {
    "aws_default_region": ("region", "aws_region", "region_name"),
    "default_region": ("region", "aws_region", "region_name"),
    "aws_endpoint_url": ("endpoint_url_s3", "aws_endpoint_url_s3"),
}
"""Keys that count only if none of some others is there, so that both may be copied from an environment."""


def understood(mapping: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The entries of a mapping that are configuration here.

    Arguments:
        mapping: keys in any case, and values.
        known: the keys of the service, which are left alone.

    Raises:
        ConfigInvalid: a key means something that is set in another way, or a value that is not supported.
    """
    given = {str(key).lower() for key in mapping}
    kept = {}
    for key, value in mapping.items():
        lowered = str(key).lower()
        if given.intersection(_FALLBACKS.get(lowered, ())):
            continue
        if lowered in known or not _has_no_effect(lowered.removeprefix("aws_"), value):
            kept[key] = value
    return kept


def _has_no_effect(key: str, value: object) -> bool:
    if (variable := _VARIABLES.get(key)) is not None:
        raise invalid(f"{key} is not a key: set the environment variable {variable}")
    if (instead := _ELSEWHERE.get(key)) is not None:
        raise invalid(f"{key} is not a key: {instead}")
    if (only := _ONLY.get(key)) is not None and value != only:
        raise invalid(f"{key} must be {only!r}, or left out: calls have the options if_match and if_not_exists")
    return key in _WITHOUT_EFFECT or key in _ONLY

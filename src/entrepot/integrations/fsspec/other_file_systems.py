"""The options of s3fs, gcsfs, adlfs and of fsspec's own file systems, as configuration values of services."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from entrepot import InvalidInput

Options = dict[str, Any]

_WITHOUT_EFFECT: Final = frozenset(
    {
        *("auto_mkdir", "default_fill_cache", "max_concurrency"),
        *("use_ssl", "cache_regions", "local_expiry_check"),  # s3fs
        *("project", "consistency", "secure_serialize", "check_connection", "default_location"),  # gcsfs
        *("location_mode", "assume_container_exists"),  # adlfs
    }
)
"""Directories are always made, the endpoint says whether TLS is used, and requests find the region of their bucket."""

_REFUSED: Final = {
    "version_aware": "give version=... to open, cat_file or get_file",
    "session": "give the credentials, or profile=...",
    "session_kwargs": "give proxy=..., ca_file=... and the like",
    "request_session": "give proxy=..., ca_file=... and the like",
    "config": "give config_kwargs=..., a dictionary",
}
"""Objects and behavior of other libraries, and what to do instead."""

S3FS_NAMES: Final = {
    "key": "access_key_id",
    "secret": "secret_access_key",
    "token": "session_token",
    "anon": "skip_signature",
    "endpoint_url": "endpoint",
    "region_name": "region",
    "fixed_upload_size": "equal_parts",
}
"""The names that s3fs and boto3 have for configuration values of s3."""

_S3_ADDITIONAL_NAMES: Final = {
    "ACL": "default_acl",
    "BucketKeyEnabled": "server_side_encryption_bucket_key_enabled",
    "ChecksumAlgorithm": "checksum_algorithm",
    "ExpectedBucketOwner": "expected_bucket_owner",
    "SSEKMSEncryptionContext": "server_side_encryption_context",
    "SSEKMSKeyId": "server_side_encryption_aws_kms_key_id",
    "ServerSideEncryption": "server_side_encryption",
    "StorageClass": "default_storage_class",
}
_CONFIG_WITHOUT_EFFECT: Final = frozenset({"retries", "tcp_keepalive", "parameter_validation"})
_GOOGLE_SCOPES: Final = "https://www.googleapis.com/auth/devstorage."
_ADLFS_NAMES: Final = {"socket_timeout": "idle_timeout", "connection_timeout": "connect_timeout"}


def configuration_of(scheme: str, options: Mapping[str, Any]) -> Options:
    """Returns the configuration values that the options of another file system mean. Names of our own stay.

    Arguments:
        scheme: the scheme of the service.
        options: the options, without those of fsspec itself.

    Raises:
        InvalidInput: an option has no counterpart. The message says what to do instead.
    """
    kept = {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}
    for name, advice in _REFUSED.items():
        if kept.pop(name, None):
            raise InvalidInput(f"{name} has no effect here: {advice}")
    translate = _TRANSLATIONS.get(scheme)
    return translate(kept) if translate else kept


def _of_s3fs(options: Options) -> Options:
    client = dict(options.pop("client_kwargs", None) or {})
    config = dict(options.pop("config_kwargs", None) or {})
    additional = dict(options.pop("s3_additional_kwargs", None) or {})
    passed = {**_of_botocore_config(config), **_of_additional(additional), **_of_client(client)}
    return _renamed({**passed, **options}, S3FS_NAMES)


def _of_client(options: Options) -> Options:
    """The options of a client of boto3."""
    verify = options.pop("verify", None)
    kept = configuration_of("", options)
    if verify is False:
        kept["allow_invalid_certificates"] = True
    elif isinstance(verify, str):
        kept["ca_file"] = verify
    return kept


def _of_botocore_config(options: Options) -> Options:
    """The options of `botocore.config.Config`. Most of them are aliases of configuration values."""
    kept = {name: value for name, value in options.items() if name not in _CONFIG_WITHOUT_EFFECT}
    signature = kept.pop("signature_version", None)
    if signature is not None and not isinstance(signature, str):  # botocore.UNSIGNED
        kept["skip_signature"] = True
    elif signature not in {None, "s3v4", "v4"}:
        raise InvalidInput("signature_version is s3v4: no other one can be chosen")
    return kept | _of_s3_config(dict(kept.pop("s3", None) or {}))


def _of_s3_config(options: Options) -> Options:
    style = options.pop("addressing_style", None)
    if style in {"path", "virtual"}:
        options["enable_virtual_host_style"] = style == "virtual"
    elif style not in {None, "auto"}:
        raise InvalidInput("addressing_style is path, virtual or auto")
    return options


def _of_additional(options: Options) -> Options:
    """The arguments that s3fs adds to each request."""
    payer = options.pop("RequestPayer", None)
    for name in options.keys() - _S3_ADDITIONAL_NAMES:
        known = ", ".join(sorted({*_S3_ADDITIONAL_NAMES, "RequestPayer"}))
        raise InvalidInput(f"s3_additional_kwargs cannot have {name}; it can have {known}")
    kept = _renamed(options, _S3_ADDITIONAL_NAMES)
    return kept if payer is None else kept | {"enable_request_payer": True}


def _of_gcsfs(options: Options) -> Options:
    if options.pop("requester_pays", False):
        raise InvalidInput("requester_pays is not supported for Google Cloud Storage: no project can be billed")
    access = options.pop("access", None)
    if access is not None:
        options["scope"] = f"{_GOOGLE_SCOPES}{access}"
    return _of_google_token(options.pop("token", None)) | _renamed(options, {"requests_timeout": "idle_timeout"})


def _of_google_token(token: Any) -> Options:
    """The configuration values for the `token` of gcsfs, which names a way to log in, a file or a token."""
    if token is None or token in ("google_default", "cloud"):
        return {}
    if token == "anon":  # noqa: S105 - the name of a way to log in
        return {"skip_signature": True}
    if token in ("browser", "cache"):
        raise InvalidInput("token cannot be browser or cache: log in by gcloud, and leave it out")
    if isinstance(token, Mapping):
        return {"credential": json.dumps(dict(token))}
    if isinstance(token, str) and token.endswith(".json"):
        return {"credential_path": token}
    return {"token": token}


def _of_adlfs(options: Options) -> Options:
    return _renamed(options, _ADLFS_NAMES)


def _renamed(options: Mapping[str, Any], names: Mapping[str, str]) -> Options:
    """The options by the names of ours; None is the default of each of the others' options."""
    return {names.get(name, name): value for name, value in options.items() if value is not None or name not in names}


_TRANSLATIONS: Final[dict[str, Callable[[Options], Options]]] = {
    "s3": _of_s3fs,
    "gcs": _of_gcsfs,
    "azblob": _of_adlfs,
    "azdls": _of_adlfs,
}

"""Where the credentials of a configuration come from: its keys, its function, or the sources of the AWS tools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.signing.aws import Credentials
from entrepot.signing.provider import CredentialCache, FixedProvider, Provider, provider_of

if TYPE_CHECKING:
    from entrepot.raw import Context
    from entrepot.services.s3.config import S3
    from entrepot.signing.aws_sources import AwsOptions
    from entrepot.signing.clock import Clock

_SHARED_BY: Final = (
    "profile",
    "region",
    "disable_config_load",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "role_arn",
    "role_session_name",
    "external_id",
    "assume_role_duration_seconds",
    "assume_role_session_tags",
    "use_fips_endpoint",
    "disable_ec2_metadata",
    "imdsv1_fallback",
    "http_settings",
)
"""The options that credentials depend on. Operators of one context that agree in them share what is loaded."""

ADVICE: Final = "set access_key_id and secret_access_key, or credentials, or skip_signature=True for a public bucket"


def credential_cache(config: S3, context: Context, clock: Clock) -> CredentialCache[Credentials] | None:
    """The credentials of a configuration; None if requests are sent unsigned. No I/O.

    Raises:
        ConfigInvalid: the role to assume is not described right.
    """
    if config.skip_signature:
        return None
    keys = _keys(config)
    if keys is not None and not config.role_arn:
        return CredentialCache.fixed(keys, context.runtime)
    provider, runtime = _provider(config, keys, context, clock), context.runtime
    # The provider holds a function of the user, so that its id stays its own
    key = "s3 credentials", id(config.credentials), *(getattr(config, name) for name in _SHARED_BY)
    return context.shared(key, lambda: CredentialCache(provider, runtime, now=clock.timestamp))


def check_role(config: S3) -> None:
    """Passes if the settings of the role to assume are possible. No I/O.

    Raises:
        ConfigInvalid: they are not.
    """
    from entrepot.signing.aws_sources.chain import configured_role

    configured_role(_options(config))


def session_tags(text: str | None) -> dict[str, str]:
    """The tags of a session, from a text such as `"team=storage&stage=test"`.

    Raises:
        ConfigInvalid: it is not in that form.
    """
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(text or "", keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        pairs = None
    if pairs is None:
        raise ConfigInvalid("assume_role_session_tags must be in the form 'team=storage&stage=test'")
    return dict(pairs)


def _keys(config: S3) -> Credentials | None:
    if not config.access_key_id or not config.secret_access_key:
        return None
    return Credentials(
        config.access_key_id, config.secret_access_key, config.session_token or None, source="configuration"
    )


def _provider(config: S3, keys: Credentials | None, context: Context, clock: Clock) -> Provider[Credentials]:
    if config.credentials is not None and not config.role_arn:
        return provider_of(config.credentials, Credentials, context.runtime)
    from entrepot.signing.aws_sources import Machine, default_provider, with_role

    environ = None if config.disable_config_load else os.environ
    machine = Machine(_options(config), environ, context.http, context.runtime, clock)
    if keys is not None:
        return with_role(FixedProvider(keys), machine)
    if config.credentials is not None:
        return with_role(provider_of(config.credentials, Credentials, context.runtime), machine)
    return default_provider(machine)


def _options(config: S3) -> AwsOptions:
    from entrepot.signing.aws_sources import AwsOptions

    return AwsOptions(
        profile=config.profile or None,
        region=config.region or None,
        role_arn=config.role_arn or None,
        role_session_name=config.role_session_name or None,
        external_id=config.external_id or None,
        duration_seconds=config.assume_role_duration_seconds,
        session_tags=session_tags(config.assume_role_session_tags),
        use_fips_endpoint=config.use_fips_endpoint,
        is_metadata_disabled=config.disable_ec2_metadata,
        is_imds_v1_allowed=config.imdsv1_fallback,
        advice=ADVICE,
    )

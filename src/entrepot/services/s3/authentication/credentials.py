"""Where the credentials of a configuration come from: its keys, its function, or the sources of the AWS tools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.signing.aws import Credentials
from entrepot.signing.provider import CredentialCache, FixedProvider, Provider, provider_of

if TYPE_CHECKING:
    from entrepot.raw import Context
    from entrepot.signing.aws_sources import AwsOptions
    from entrepot.signing.clock import Clock

    from .options import CredentialOptions

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
"""What credentials depend on. Operators of one context that agree in them share what is loaded."""

ADVICE: Final = "set access_key_id and secret_access_key, or credentials, or skip_signature=True for a public bucket"


def credential_cache(options: CredentialOptions, context: Context, clock: Clock) -> CredentialCache[Credentials] | None:
    """The credentials of a configuration; None if requests are sent unsigned. No I/O.

    Raises:
        ConfigInvalid: the role to assume is not described right.
    """
    if options.skip_signature:
        return None
    keys = _keys(options)
    if keys is not None and not options.role_arn:
        return CredentialCache.fixed(keys, context.runtime)
    provider, runtime = _provider(options, keys, context, clock), context.runtime
    # The provider holds a function of the user, so that its id stays its own
    key = "s3 credentials", id(options.credentials), *(getattr(options, name) for name in _SHARED_BY)
    return context.shared(key, lambda: CredentialCache(provider, runtime, now=clock.timestamp))


def check_role(options: CredentialOptions) -> None:
    """Passes if the settings of the role to assume are possible. No I/O.

    Raises:
        ConfigInvalid: they are not.
    """
    from entrepot.signing.aws_sources.chain import configured_role

    configured_role(_aws_options(options))


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


def _keys(options: CredentialOptions) -> Credentials | None:
    if not options.access_key_id or not options.secret_access_key:
        return None
    return Credentials(
        options.access_key_id, options.secret_access_key, options.session_token or None, source="configuration"
    )


def _provider(
    options: CredentialOptions, keys: Credentials | None, context: Context, clock: Clock
) -> Provider[Credentials]:
    if options.credentials is not None and not options.role_arn:
        return provider_of(options.credentials, Credentials, context.runtime)
    from entrepot.signing.aws_sources import Machine, default_provider, with_role

    environ = None if options.disable_config_load else os.environ
    machine = Machine(_aws_options(options), environ, context.http, context.runtime, clock)
    if keys is not None:
        return with_role(FixedProvider(keys), machine)
    if options.credentials is not None:
        return with_role(provider_of(options.credentials, Credentials, context.runtime), machine)
    return default_provider(machine)


def _aws_options(options: CredentialOptions) -> AwsOptions:
    from entrepot.signing.aws_sources import AwsOptions

    return AwsOptions(
        profile=options.profile or None,
        region=options.region or None,
        role_arn=options.role_arn or None,
        role_session_name=options.role_session_name or None,
        external_id=options.external_id or None,
        duration_seconds=options.assume_role_duration_seconds,
        session_tags=session_tags(options.assume_role_session_tags),
        use_fips_endpoint=options.use_fips_endpoint,
        is_metadata_disabled=options.disable_ec2_metadata,
        is_imds_v1_allowed=options.imdsv1_fallback,
        advice=ADVICE,
    )

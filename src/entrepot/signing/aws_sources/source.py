"""The interface of a source of credentials, and the settings that sources read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.transport import HttpTransport
from entrepot.raw.runtime import Runtime
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_endpoints import GLOBAL_REGION, is_region, service_endpoint
from entrepot.signing.aws_profile import Profile, ProfileFiles, configured_endpoint, configured_region, is_set
from entrepot.signing.clock import utc_now


class Absent(NamedTuple):
    """A source that is not configured, or has no credentials.

    Attributes:
        reason: why, for the error that lists all sources.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class AwsOptions:
    """The options of the default chain. The environment and the profile have the rest.

    Arguments:
        profile: the profile. It takes precedence over the keys in the environment. By default `AWS_DEFAULT_PROFILE` or
            `AWS_PROFILE` selects it, which do not.
        region: the region of STS where neither the environment nor the profile sets one. By default its global
            endpoint.
        role_arn: a role to assume with the credentials of the chain.
        role_session_name: the name of its sessions, which the log of AWS shows. By default one with the time.
        external_id: the identifier that the trust policy of the role may require.
        duration_seconds: for how many seconds the role is assumed, at least 900. By default 3,600.
        session_tags: tags of its sessions, by key.
        use_fips_endpoint: whether STS and SSO are reached by endpoints that are validated for FIPS 140. By default as
            the environment or the profile says.
        is_metadata_disabled: whether the instance metadata service (IMDS) is not asked.
        is_imds_v1_allowed: whether the first version of that service is used where the second gives no token. It has
            no protection against requests that another program forwards, so by default it is not.
        advice: how the user can set credentials, for the error if there are none.
    """

    profile: str | None = None
    region: str | None = None
    role_arn: str | None = None
    role_session_name: str | None = None
    external_id: str | None = None
    duration_seconds: int | None = None
    session_tags: Mapping[str, str] = field(default_factory=dict)
    use_fips_endpoint: bool | None = None
    is_metadata_disabled: bool = False
    is_imds_v1_allowed: bool = False
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The settings that a source reads: the environment, the files, and the profile in question.

    Arguments:
        options: the options of the caller.
        environ: the environment variables.
        files: the files, as read for this load.
        session: the profile that was selected. Its region and endpoints count.
        profile: the profile in question: the selected one, or the source profile of a role.
        has_environment: whether credentials in the environment count. They do not if the caller named the profile.
        http: sends requests.
        runtime: has threads for files and processes.
        now: returns the time.
    """

    options: AwsOptions
    environ: Mapping[str, str] = field(repr=False)
    files: ProfileFiles
    session: Profile
    profile: Profile
    has_environment: bool
    http: HttpTransport
    runtime: Runtime
    now: Callable[[], datetime] = utc_now

    def of_profile(self, name: str) -> "Scope":
        """The scope of another profile, which only the files count for.

        Raises:
            ConfigInvalid: it does not exist.
        """
        return replace(self, profile=self.files.profile(name), has_environment=False)

    def setting(self, key: str, variable: str) -> str | None:
        """A setting, from a variable of the environment or else from a key of the selected profile; None if empty."""
        return self.environ.get(variable) or self.session.get(key) or None

    def is_set(self, key: str, variable: str) -> bool:
        """Whether a switch is on, by a variable of the environment or else by a key of the selected profile."""
        return is_set(key, variable, self.session, self.environ)

    @property
    def region(self) -> str | None:
        """The region for STS; None is its global endpoint. A region that only another store has does not count."""
        given = self.options.region
        return configured_region(self.session, self.environ) or (given if given and is_region(given) else None)

    @property
    def signing_region(self) -> str:
        """The region that requests to STS are signed for."""
        return self.region or GLOBAL_REGION

    def endpoint(self, service: str, region: str | None) -> str:
        """The URL of a service, without a slash at its end: the configured one, or the one of AWS in the region.

        Raises:
            ConfigInvalid: it is not valid, or neither is the region.
        """
        configured = configured_endpoint(service, self.files, self.session, self.environ)
        if configured is not None:
            return checked_endpoint(f"the endpoint that is configured for {service}", configured)
        is_fips = self.options.use_fips_endpoint
        return service_endpoint(
            service,
            region,
            is_fips=self.is_set("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT") if is_fips is None else is_fips,
            is_dual_stack=self.is_set("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT"),
        )


class Source(Protocol):
    """One source of the chain.

    Attributes:
        name: its name in error messages.
    """

    name: str

    async def load(self, scope: Scope) -> Credentials | Absent:
        """Gets credentials, or the reason why the source has none.

        Raises:
            ConfigInvalid: the source is configured, and its configuration is not valid.
            Error: the source is configured, and failed. Temporary if the same call may succeed later.
        """
        ...


def checked_endpoint(what: str, text: str) -> str:
    """A URL without userinfo, and without a slash at its end.

    Raises:
        ConfigInvalid: it is not valid. The message begins with `what`, and does not repeat the URL.
    """
    try:
        return parse_endpoint(text).url
    except ConfigInvalid as error:
        problem = error.message
    raise ConfigInvalid(f"{what} is not valid: {problem}", operation="configure")


def checked_credentials(source: str, values: Mapping[str, str | None], expires_at: datetime | None) -> Credentials:
    """Credentials made of the values of a source.

    Arguments:
        source: the name of the source, for errors.
        values: `access_key_id`, `secret_access_key` and perhaps `session_token`, as the source has them.
        expires_at: when they expire.

    Raises:
        ConfigInvalid: a value is missing, or holds characters that no credentials have. The message shows no value.
    """
    access_key_id, secret_access_key = values.get("access_key_id") or "", values.get("secret_access_key") or ""
    try:
        return Credentials(access_key_id, secret_access_key, values.get("session_token") or None, expires_at, source)
    except ConfigInvalid as error:
        problem = error.message
    raise ConfigInvalid(f"the AWS credentials of the {source} are not valid: {problem}", operation="configure")


def parse_time(source: str, text: object) -> datetime:
    """The time in a text of ISO 8601, in UTC where it names no zone.

    Raises:
        ConfigInvalid: it is not a time.
    """
    try:
        time = datetime.fromisoformat(str(text).strip().replace("UTC", "Z"))
    except ValueError:
        raise ConfigInvalid(f"the time of expiry of the {source} is not a time of ISO 8601") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)

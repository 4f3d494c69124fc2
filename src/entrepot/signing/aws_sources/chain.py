"""The default chain of credential sources, in the order of botocore.

Two sources that botocore still has are left out: `AWS_CREDENTIAL_FILE` of the first EC2 tools, and the configuration
file of boto 2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Unexpected
from entrepot.raw.http.transport import HttpTransport
from entrepot.raw.log import INFO, log
from entrepot.raw.runtime import Runtime
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_profile import NO_FILES, profile_name
from entrepot.signing.aws_profile_files import load_files
from entrepot.signing.clock import utc_now
from entrepot.signing.provider import Provider

from .assume_role import AssumeRoleSource
from .container import ContainerSource
from .environment import EnvironmentSource
from .files import ConfigFileSource, CredentialsFileSource
from .instance_metadata import InstanceMetadataSource
from .login import LoginSource
from .process import ProcessSource
from .source import Absent, AwsOptions, Scope, Source
from .sso import SsoSource
from .sts import Role, assume_role
from .web_identity import WebIdentitySource

_LEFT_OUT: Final = ("AWS_CREDENTIAL_FILE", "BOTO_CONFIG")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that credentials are looked up on.

    Arguments:
        options: the options of the caller.
        environ: the environment variables; None reads neither them nor files.
        http: sends requests to STS, SSO and the metadata services.
        runtime: reads files and starts programs in its threads.
        now: returns the time.
    """

    options: AwsOptions
    environ: Mapping[str, str] | None = field(repr=False)
    http: HttpTransport
    runtime: Runtime
    now: Callable[[], datetime] = utc_now

    async def scope(self) -> Scope:
        """The scope of a load, with the files as they are now.

        Raises:
            ConfigInvalid: a file is malformed, or the profile does not exist.
        """
        environ = self.environ or {}
        files = NO_FILES if self.environ is None else await load_files(self.runtime, environ)
        named = self.options.profile
        profile = files.profile(named or profile_name(environ))
        return Scope(self.options, environ, files, profile, profile, named is None, self.http, self.runtime, self.now)


def default_provider(machine: Machine) -> Provider[Credentials]:
    """The provider of the credentials that the AWS CLI and boto3 would use on this machine.

    Raises:
        ConfigInvalid: the options describe no role that can be assumed.
    """
    return with_role(DefaultChain(machine), machine)


def with_role(provider: Provider[Credentials], machine: Machine) -> Provider[Credentials]:
    """The provider of the role in the options, assumed with the credentials of a provider; the same without a role.

    Raises:
        ConfigInvalid: as `default_provider`.
    """
    role = configured_role(machine.options)
    return provider if role is None else AssumedRole(provider, role, machine)


def default_sources() -> list[Source]:
    """The sources of the chain, in order."""
    environment, container, metadata = EnvironmentSource(), ContainerSource(), InstanceMetadataSource()
    of_profile: list[Source] = [
        WebIdentitySource(),
        SsoSource(),
        CredentialsFileSource(),
        LoginSource(),
        ProcessSource(),
        ConfigFileSource(),
    ]
    named: dict[str, Source] = {
        "Environment": environment,
        "EcsContainer": container,
        "Ec2InstanceMetadata": metadata,
    }
    return [environment, AssumeRoleSource(of_profile, named), *of_profile, container, metadata]


class DefaultChain(Provider[Credentials]):
    """Loads credentials from the first source that has some, and from then on from that source alone.

    Files are read again for each load, so a key that another tool has replaced in a file is found.

    Arguments:
        machine: the machine.
    """

    __slots__ = ("_chosen", "_machine", "_sources")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sources = default_sources()
        self._chosen: Source | None = None

    async def load(self) -> Credentials:
        """Gets credentials.

        Raises:
            PermissionDenied: no source has credentials, or the one that has refuses. The message names each source.
            ConfigInvalid: a file is malformed, the profile does not exist, or a source is not configured right.
            Error: a source that is configured failed. Temporary if the same call may succeed later.
        """
        scope = await self._machine.scope()
        return await (self._first(scope) if self._chosen is None else self._again(scope, self._chosen))

    async def _first(self, scope: Scope) -> Credentials:
        reasons = []
        for source in self._sources:
            found = await _loaded(source, scope)
            if not isinstance(found, Absent):
                self._chosen = source
                log(INFO, "AWS credentials come from the %s", found.source)
                return found
            reasons.append(f"{source.name}: {found.reason}")
        reasons += [f"{name} is set, which is not read" for name in _LEFT_OUT if name in scope.environ]
        advice = f": {scope.options.advice}" if scope.options.advice else ""
        raise PermissionDenied(f"no AWS credentials were found ({'; '.join(reasons)}){advice}")

    async def _again(self, scope: Scope, source: Source) -> Credentials:
        """Credentials of the source that had some before. Another source may be of another user, so none is asked."""
        found = await _loaded(source, scope)
        if isinstance(found, Absent):
            message = f"the {source.name} had AWS credentials before and has none now: {found.reason}"
            raise Unexpected(message, is_temporary=True)
        return found


async def _loaded(source: Source, scope: Scope) -> Credentials | Absent:
    try:
        return await source.load(scope)
    except Error as error:  # an error of a connection does not name its purpose
        error.add_context(credentials=source.name)
        raise


class AssumedRole(Provider[Credentials]):
    """Loads the credentials of a role, which is assumed with another provider's credentials.

    Arguments:
        base: the other provider.
        role: the role.
        machine: says where STS is.
    """

    __slots__ = ("_base", "_machine", "_role")

    def __init__(self, base: Provider[Credentials], role: Role, machine: Machine) -> None:
        self._base = base
        self._role = role
        self._machine = machine

    async def load(self) -> Credentials:
        """Gets credentials.

        Raises:
            Error: as the other provider, or STS refuses or cannot be reached.
        """
        credentials = await self._base.load()
        scope = await self._machine.scope()
        try:
            return await assume_role(scope, credentials, self._role)
        except Error as error:
            error.add_context(credentials=f"role {self._role.arn!r}")
            raise


def configured_role(options: AwsOptions) -> Role | None:
    """The role to assume with the credentials of the chain; None if there is none.

    Raises:
        ConfigInvalid: the duration is not possible, or there are settings of a role and no role.
    """
    if options.role_arn is None:
        given = options.external_id or options.role_session_name or options.duration_seconds or options.session_tags
        if given:
            raise ConfigInvalid(
                "there are settings of a role to assume, and role_arn is missing", operation="configure"
            )
        return None
    return Role(
        options.role_arn,
        options.role_session_name,
        options.external_id,
        options.duration_seconds,
        options.session_tags,
    )

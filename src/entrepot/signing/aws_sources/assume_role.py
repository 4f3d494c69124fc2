"""The role of a profile, assumed with the credentials of another profile or of a source that it names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from entrepot.errors import ConfigInvalid
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_profile import Profile

from .source import Absent, Scope, Source
from .sts import Role, assume_role

_STATIC_KEYS = ("aws_access_key_id", "aws_secret_access_key")


class AssumeRoleSource:
    """`role_arn` of the profile, with `source_profile` or `credential_source`. A source profile may have a role itself.

    Arguments:
        profile_sources: the sources that a source profile without a role is looked up in, in order.
        named: the sources that `credential_source` may name.
    """

    name = "role of the profile"

    def __init__(self, profile_sources: Sequence[Source], named: Mapping[str, Source]) -> None:
        self._profile_sources = profile_sources
        self._named = named

    async def load(self, scope: Scope) -> Credentials | Absent:
        if not _has_role(scope.profile):
            return Absent(f"profile {scope.profile.name!r} has no role_arn")
        return await self._assumed(scope, [scope.profile.name])

    async def _assumed(self, scope: Scope, visited: list[str]) -> Credentials:
        """The credentials of the role of a profile. `visited` are the profiles on the way to it, itself the last."""
        role = role_of(scope.profile)
        source, named = scope.profile.get("source_profile"), scope.profile.get("credential_source")
        if (source is None) == (named is None):
            problem = "has a role_arn and needs" if source is None else "must not have both"
            joint = "or" if source is None else "and"
            raise _invalid(scope, f"{problem} source_profile {joint} credential_source")
        if named is not None:
            base = await self._of_named(scope, named)
        else:
            base = await self._of_profile(scope, source or "", visited)
        return await assume_role(scope, base, role)

    async def _of_named(self, scope: Scope, name: str) -> Credentials:
        if name not in self._named:
            raise _invalid(scope, f"has credential_source {name!r}, which is not one of {', '.join(self._named)}")
        found = await self._named[name].load(replace(scope, has_environment=True))  # it is named, so it counts
        if isinstance(found, Absent):
            raise _invalid(scope, f"has credential_source {name!r}, which has no credentials: {found.reason}")
        return found

    async def _of_profile(self, scope: Scope, name: str, visited: list[str]) -> Credentials:
        if name not in scope.files.names:
            raise _invalid(scope, f"names source_profile {name!r}, which does not exist")
        base = scope.of_profile(name)
        is_static = any(key in base.profile for key in _STATIC_KEYS)
        # A profile may name itself, and so use its own keys
        if name in visited and not (name == scope.profile.name and is_static):
            raise _invalid(scope, f"closes a loop of source profiles: {' -> '.join([*visited, name])}")
        if _has_role(base.profile) and not is_static:
            return await self._assumed(base, [*visited, name])
        return await self._of_sources(base)

    async def _of_sources(self, scope: Scope) -> Credentials:
        reasons = []
        for source in self._profile_sources:
            found = await source.load(scope)
            if not isinstance(found, Absent):
                return found
            reasons.append(f"{source.name}: {found.reason}")
        raise _invalid(scope, f"is a source profile and has no credentials ({'; '.join(reasons)})")


def role_of(profile: Profile) -> Role:
    """The role that a profile describes.

    Raises:
        ConfigInvalid: the duration is not a number, or the role needs the code of a device.
    """
    arn, serial, duration = profile.get("role_arn") or "", profile.get("mfa_serial"), profile.get("duration_seconds")
    if serial is not None:
        raise ConfigInvalid(
            f"role {arn!r} of profile {profile.name!r} needs a code of the MFA device {serial!r} (mfa_serial), "
            "which this library cannot ask for: get temporary credentials with the AWS CLI, and use those",
            operation="configure",
        )
    if duration is not None and not (duration.isascii() and duration.isdigit()):
        raise ConfigInvalid(f"duration_seconds of profile {profile.name!r} is not a number", operation="configure")
    return Role(
        arn,
        profile.get("role_session_name"),
        profile.get("external_id"),
        None if duration is None else int(duration),
    )


def _has_role(profile: Profile) -> bool:
    """Whether the profile has a role for this source. With a token file the role is one of web identity."""
    return "role_arn" in profile and "web_identity_token_file" not in profile


def _invalid(scope: Scope, problem: str) -> ConfigInvalid:
    return ConfigInvalid(f"profile {scope.profile.name!r} {problem}", operation="configure")

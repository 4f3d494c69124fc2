"""A role assumed with a token of an identity provider, as in Kubernetes on AWS (IRSA) or in GitHub Actions."""

from pathlib import Path

from entrepot.errors import ConfigInvalid, PermissionDenied
from entrepot.raw.few_files import with_file_limit
from entrepot.signing.aws import Credentials
from entrepot.signing.aws_profile import expanded

from .source import Absent, Scope
from .sts import Role, assume_role_with_web_identity


class WebIdentitySource:
    """`AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME`, or the keys of the profile.

    The token is read again for each call, since the platform replaces it.
    """

    name = "web identity"

    async def load(self, scope: Scope) -> Credentials | Absent:
        path = _setting(scope, "web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE")
        if not path:
            variable = "AWS_WEB_IDENTITY_TOKEN_FILE is not set, and " if scope.has_environment else ""
            return Absent(f"{variable}profile {scope.profile.name!r} has no web_identity_token_file")
        arn = _setting(scope, "role_arn", "AWS_ROLE_ARN")
        if not arn:
            raise ConfigInvalid(
                "there is a web identity token file and no role: set AWS_ROLE_ARN, or role_arn of profile "
                f"{scope.profile.name!r}",
                operation="configure",
            )
        token = await scope.runtime.blocking(read_token, path)
        role = Role(arn, _setting(scope, "role_session_name", "AWS_ROLE_SESSION_NAME"))
        return await assume_role_with_web_identity(scope, token, role)


def read_token(path: str) -> str:
    """The token in a file, without the line break at its end.

    Raises:
        PermissionDenied: it cannot be read, or is not a text.
    """
    try:
        content = Path(expanded(path)).read_bytes()
    except OSError as error:
        unreadable = PermissionDenied(f"the token file {path} cannot be read: {error.strerror}")
        raise with_file_limit(unreadable, error) from None
    token = content.decode("ascii", "replace").rstrip("\r\n")
    if not token.isascii() or not token.isprintable():
        raise PermissionDenied(f"the token file {path} does not hold one line of ASCII text")
    return token


def _setting(scope: Scope, key: str, variable: str) -> str | None:
    if scope.has_environment and variable in scope.environ:
        return scope.environ[variable]
    return scope.profile.get(key)

"""Keys in the environment variables."""

from entrepot.signing.aws import Credentials

from .source import Absent, Scope, checked_credentials, parse_time


class EnvironmentSource:
    """`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and `AWS_CREDENTIAL_EXPIRATION`."""

    name = "environment"

    async def load(self, scope: Scope) -> Credentials | Absent:
        if not scope.has_environment:
            return Absent(f"not used, since profile {scope.session.name!r} was named")
        environ = scope.environ
        if not environ.get("AWS_ACCESS_KEY_ID"):
            return Absent("AWS_ACCESS_KEY_ID is not set")
        values = {
            "access_key_id": environ["AWS_ACCESS_KEY_ID"],
            "secret_access_key": environ.get("AWS_SECRET_ACCESS_KEY"),
            "session_token": environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN"),
        }
        expiration = environ.get("AWS_CREDENTIAL_EXPIRATION")
        return checked_credentials(self.name, values, parse_time(self.name, expiration) if expiration else None)

"""`CredentialOptions`: the options of credentials and signatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.services.s3.location.options import LocationOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from dataclasses import dataclass

    from entrepot.signing import Credentials, Provider

    Source = Credentials | Provider[Credentials] | Callable[[], Credentials | Awaitable[Credentials]]
else:
    from entrepot.types.records import dataclass

    Source = object  # checked by `check_source`

_KEYS: Final = ("access_key_id", "secret_access_key", "session_token")
_OF_ROLE: Final = (
    "role_arn",
    "role_session_name",
    "external_id",
    "assume_role_duration_seconds",
    "assume_role_session_tags",
)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class CredentialOptions(LocationOptions):
    """Credentials, and what is signed with them. The options are described at `S3`.

    Where credentials come from also depends on the profile and the region, which are options of the location.
    """

    access_key_id: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_access_key_id", "key", "username")}
    )
    secret_access_key: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_secret_access_key", "secret", "password")}
    )
    session_token: str | None = field(
        default=None, repr=False, metadata={"aliases": ("aws_session_token", "aws_token", "token")}
    )
    credentials: Source | None = field(default=None, repr=False)
    role_arn: str | None = field(default=None, metadata={"aliases": ("aws_role_arn",)})
    role_session_name: str | None = field(default=None, metadata={"aliases": ("aws_role_session_name",)})
    external_id: str | None = field(default=None, repr=False, metadata={"aliases": ("aws_external_id",)})
    assume_role_duration_seconds: int | None = None
    assume_role_session_tags: str | None = None
    disable_ec2_metadata: bool = False
    imdsv1_fallback: bool = field(default=False, metadata={"aliases": ("aws_imdsv1_fallback",)})
    skip_signature: bool = field(default=False, metadata={"aliases": ("aws_skip_signature", "allow_anonymous", "anon")})
    unsigned_payload: bool | None = field(default=None, metadata={"aliases": ("aws_unsigned_payload",)})

    def validate(self) -> None:
        self._adopt_keys()  # first, since the endpoint is stored without them
        super().validate()
        self._check_keys()
        self._check_credentials()
        self._check_role()

    def _adopt_keys(self) -> None:
        """Takes the userinfo of the endpoint as the keys."""
        endpoint = self._parsed_endpoint()
        if endpoint is None or not (endpoint.username or endpoint.password):
            return
        if self.access_key_id or self.secret_access_key:
            raise self.invalid(
                "the keys are set twice, in endpoint and as access_key_id and secret_access_key: leave out one"
            )
        self._set("access_key_id", endpoint.username or "")
        self._set("secret_access_key", endpoint.password or "")

    def _check_keys(self) -> None:
        self._check_text(*_KEYS)
        for name in _KEYS:
            value = getattr(self, name) or ""
            if not value.isascii() or " " in value:
                raise self.invalid(f"{name} must be ASCII text without blanks")

    def _check_credentials(self) -> None:
        given = [name for name in (*_KEYS, "credentials") if getattr(self, name)]
        if self.skip_signature:
            if given:
                raise self.invalid(f"skip_signature is set beside {', '.join(given)}: leave out one or the other")
            return
        if self.credentials is not None:
            self._check_source(given)
            return
        missing = [name for name in _KEYS[:2] if name not in given]
        if missing and (given or self.disable_config_load):
            raise self.invalid(
                f"{' and '.join(missing)} is missing: set access_key_id and secret_access_key, "
                "or skip_signature=True for a public bucket"
            )

    def _check_source(self, given: list[str]) -> None:
        from entrepot.signing import Credentials
        from entrepot.signing.provider import check_source

        if len(given) > 1:
            raise self.invalid(f"credentials is set beside {', '.join(given[:-1])}: leave out one or the other")
        try:
            check_source(self.credentials, Credentials)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None

    def _check_role(self) -> None:
        given = [name for name in _OF_ROLE if getattr(self, name)]
        if not given:
            return
        if self.skip_signature:
            raise self.invalid(f"skip_signature is set beside {', '.join(given)}: leave out one or the other")
        if not self.role_arn:
            raise self.invalid(f"{', '.join(given)} is set, and role_arn is missing: set it to the ARN of the role")
        from .credentials import check_role

        try:
            check_role(self)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None

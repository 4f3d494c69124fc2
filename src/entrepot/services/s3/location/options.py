"""`LocationOptions`: the options that say where the bucket is."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, field
from typing import TYPE_CHECKING, Any

from entrepot.errors import ConfigInvalid
from entrepot.raw.config import ServiceUri
from entrepot.raw.http.endpoint import DOUBLED_PLACE, Endpoint
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.types.records import replace

from .address import Settings, address_of, endpoint_of, region_of_host
from .buckets import check_bucket
from .hosts import amazon_host

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, init=False, repr=False, eq=False)
class LocationOptions(HttpServiceConfig):
    """The bucket and its address. The options are described at `S3`."""

    bucket: str = field(default="", metadata={"aliases": ("aws_bucket", "aws_bucket_name", "bucket_name")})
    root: str = "/"
    endpoint: str | None = field(
        default=None,
        metadata={
            "aliases": ("aws_endpoint", "aws_endpoint_url", "aws_endpoint_url_s3", "endpoint_url", "endpoint_url_s3")
        },
    )
    region: str | None = field(
        default=None, metadata={"aliases": ("aws_region", "region_name", "aws_default_region", "default_region")}
    )
    profile: str | None = field(default=None, metadata={"aliases": ("aws_profile", "profile_name")})
    disable_config_load: bool = False
    _: KW_ONLY
    enable_virtual_host_style: bool | None = field(
        default=None, metadata={"aliases": ("virtual_hosted_style_request", "aws_virtual_hosted_style_request")}
    )
    use_dualstack_endpoint: bool | None = field(default=None, metadata={"aliases": ("aws_use_dualstack_endpoint",)})
    use_fips_endpoint: bool | None = field(default=None, metadata={"aliases": ("aws_use_fips_endpoint",)})
    use_accelerate_endpoint: bool | None = field(default=None, metadata={"aliases": ("aws_use_accelerate_endpoint",)})
    use_arn_region: bool | None = field(default=None, metadata={"aliases": ("aws_s3_use_arn_region",)})

    def validate(self) -> None:
        super().validate()
        self._check_text("bucket", "root", "endpoint", "region", "profile")
        endpoint = self._parsed_endpoint()
        if endpoint is not None:
            is_gateway = self.enable_virtual_host_style is False  # with True, keys would begin with the bucket too
            if endpoint.path == f"/{self.bucket}" and not is_gateway:
                raise self.invalid(f"{DOUBLED_PLACE}; for a gateway at this path, set enable_virtual_host_style=False")
            self._set("endpoint", replace(endpoint, host=self._without_bucket(endpoint.host)).url)
        check_bucket(self.bucket)
        address_of(self.bucket, self.address_settings)

    @property
    def address_settings(self) -> Settings:
        """What the configuration says about the address, without the environment."""
        return Settings(
            self.region or (region_of_host(self.endpoint) if self.endpoint else None),
            self.endpoint or None,
            self.enable_virtual_host_style,
            self.use_dualstack_endpoint,
            self.use_fips_endpoint,
            self.use_accelerate_endpoint,
            self.use_arn_region,
        )

    @property
    def is_plain(self) -> bool:
        """Whether the endpoint of the configuration or the environment is without TLS."""
        if self.endpoint or self.disable_config_load:
            return super().is_plain
        from entrepot.signing.aws_profile import NO_FILES

        from .environment import settings_of

        return (settings_of(os.environ, NO_FILES, NO_FILES.profile()).endpoint or "").startswith("http://")

    @property
    def reads_environment(self) -> bool:
        return not self.disable_config_load

    @classmethod
    def uri_options(cls, uri: ServiceUri) -> dict[str, Any]:
        from .uris import options_of

        return options_of(uri)

    def _parsed_endpoint(self) -> Endpoint | None:
        """The parts of the endpoint, with the userinfo that may be in it; None if there is no endpoint."""
        if not self.endpoint:
            return None
        self._check_text("endpoint")
        try:
            return endpoint_of(self.endpoint)
        except ConfigInvalid as error:
            raise self.invalid(error.message) from None

    def _without_bucket(self, host: str) -> str:
        """The host without the bucket that an address of Amazon may begin with."""
        amazon = amazon_host(host)
        return host if amazon is None or amazon.bucket != self.bucket else host.removeprefix(f"{self.bucket}.")

    def _check_text(self, *names: str) -> None:
        for name in names:
            if any(map(_is_control, getattr(self, name) or "")):
                raise self.invalid(f"{name} holds a control character, such as a line feed, or is not valid Unicode")

    def _set(self, name: str, value: str) -> None:
        object.__setattr__(self, name, value)


def _is_control(character: str) -> bool:
    """Whether a character is a control character of ASCII, or one half of a surrogate pair."""
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"

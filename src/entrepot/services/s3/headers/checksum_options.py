"""`ChecksumOptions`: which checksum is sent, and whether the checksums of responses are compared with content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final

from entrepot.raw import ServiceConfig
from entrepot.services.s3.invalid import invalid

from .checksums import ALGORITHMS, CRC32, Algorithm

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

NONE: Final = "none"
WHEN_SUPPORTED: Final = "when_supported"
WHEN_REQUIRED: Final = "when_required"

_WHEN: Final = (WHEN_SUPPORTED, WHEN_REQUIRED)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class ChecksumOptions(ServiceConfig):
    """Which checksum is sent, and whether those of responses are compared. The options are described at `S3`."""

    checksum_algorithm: str | None = field(default=None, metadata={"aliases": ("aws_checksum_algorithm",)})
    request_checksum_calculation: str | None = field(
        default=None, metadata={"aliases": ("aws_request_checksum_calculation",)}
    )
    response_checksum_validation: str | None = field(
        default=None, metadata={"aliases": ("aws_response_checksum_validation",)}
    )

    def validate(self) -> None:
        super().validate()
        name = (self.checksum_algorithm or "").lower() or None
        object.__setattr__(self, "checksum_algorithm", name)
        if name is not None and name not in ALGORITHMS and name != NONE:
            raise self.invalid(f"checksum_algorithm must be one of {', '.join(map(repr, (*ALGORITHMS, NONE)))}")
        if name in {"crc32c", "crc64nvme"} and not _is_installed("awscrt"):
            raise self.invalid(
                f"checksum_algorithm {name!r} needs awscrt: install entrepot[checksums], or choose 'crc32'"
            )
        for setting in ("request_checksum_calculation", "response_checksum_validation"):
            if (getattr(self, setting) or WHEN_SUPPORTED).lower() not in _WHEN:
                raise self.invalid(f"{setting} must be one of {', '.join(map(repr, _WHEN))}")


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def checksum_to_send(options: ChecksumOptions, environ: Mapping[str, str], *, is_amazon: bool) -> Algorithm | None:
    """The checksum of the content of writes; None is none.

    Arguments:
        options: the settings, checked.
        environ: the environment variables, for settings that the configuration leaves out.
        is_amazon: whether the bucket is at Amazon, where CRC32 is the default.

    Raises:
        ConfigInvalid: the value of the environment variable is unknown.
    """
    if options.checksum_algorithm:
        return ALGORITHMS.get(options.checksum_algorithm)
    setting = options.request_checksum_calculation or _from_environment(environ, "AWS_REQUEST_CHECKSUM_CALCULATION")
    return CRC32 if _is_supported(setting, default=is_amazon) else None


def is_content_checked(options: ChecksumOptions, environ: Mapping[str, str], *, is_amazon: bool) -> bool:
    """Whether checksums are requested, and the content of reads is compared with them.

    Arguments:
        options: the settings, checked.
        environ: the environment variables, for settings that the configuration leaves out.
        is_amazon: whether the bucket is at Amazon, where that is the default. It is also the default where a checksum
            is set.

    Raises:
        ConfigInvalid: the value of the environment variable is unknown.
    """
    has_checksum = (options.checksum_algorithm or NONE) not in {NONE, "md5"}
    setting = options.response_checksum_validation or _from_environment(environ, "AWS_RESPONSE_CHECKSUM_VALIDATION")
    return _is_supported(setting, default=is_amazon or has_checksum)


def _from_environment(environ: Mapping[str, str], variable: str) -> str | None:
    """The value of a variable; None if it is not set.

    Raises:
        ConfigInvalid: the value is unknown.
    """
    value = environ.get(variable) or None
    if value is not None and value.lower() not in _WHEN:
        raise invalid(f"{variable} must be one of {', '.join(map(repr, _WHEN))}")
    return value


def _is_supported(setting: str | None, *, default: bool) -> bool:
    return default if setting is None else setting.lower() == WHEN_SUPPORTED

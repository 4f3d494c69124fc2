"""The settings of checksums: which one is sent, and whether the checksums of responses are compared with content."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid
from entrepot.services.s3.location.buckets import invalid

from .checksums import ALGORITHMS, CRC32, Algorithm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrepot.services.s3.config import S3

NONE: Final = "none"
WHEN_SUPPORTED: Final = "when_supported"
WHEN_REQUIRED: Final = "when_required"

_WHEN: Final = (WHEN_SUPPORTED, WHEN_REQUIRED)


def check_checksums(config: S3) -> None:
    """Checks the settings of checksums.

    Raises:
        ConfigInvalid: a value is unknown, or an algorithm is not installed.
    """
    name = (config.checksum_algorithm or NONE).lower()
    if name not in ALGORITHMS and name != NONE:
        raise ConfigInvalid(f"checksum_algorithm must be one of {', '.join(map(repr, (*ALGORITHMS, NONE)))}")
    if name in {"crc32c", "crc64nvme"} and find_spec("awscrt") is None:
        raise ConfigInvalid(f"checksum_algorithm {name!r} needs awscrt: install entrepot[checksums], or choose 'crc32'")
    for setting in ("request_checksum_calculation", "response_checksum_validation"):
        if (getattr(config, setting) or WHEN_SUPPORTED).lower() not in _WHEN:
            raise ConfigInvalid(f"{setting} must be one of {', '.join(map(repr, _WHEN))}")


def checksum_to_send(config: S3, environ: Mapping[str, str], *, is_amazon: bool) -> Algorithm | None:
    """The checksum of the content of writes; None is none.

    Arguments:
        config: the settings, checked.
        environ: the environment variables, for settings that the configuration leaves out.
        is_amazon: whether the bucket is at Amazon, where CRC32 is the default.

    Raises:
        ConfigInvalid: the value of the environment variable is unknown.
    """
    if config.checksum_algorithm:
        return ALGORITHMS.get(config.checksum_algorithm.lower())
    setting = config.request_checksum_calculation or _from_environment(environ, "AWS_REQUEST_CHECKSUM_CALCULATION")
    return CRC32 if _is_supported(setting, default=is_amazon) else None


def is_content_checked(config: S3, environ: Mapping[str, str], *, is_amazon: bool) -> bool:
    """Whether checksums are requested, and the content of reads is compared with them.

    Arguments:
        config: the settings, checked.
        environ: the environment variables, for settings that the configuration leaves out.
        is_amazon: whether the bucket is at Amazon, where that is the default. It is also the default where a checksum
            is set.

    Raises:
        ConfigInvalid: the value of the environment variable is unknown.
    """
    has_checksum = (config.checksum_algorithm or NONE).lower() not in {NONE, "md5"}
    setting = config.response_checksum_validation or _from_environment(environ, "AWS_RESPONSE_CHECKSUM_VALIDATION")
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

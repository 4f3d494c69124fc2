"""The settings of checksums: which one is sent, and whether the checksums of responses are compared with content."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConfigInvalid

from .checksums import ALGORITHMS, CRC32, Algorithm

if TYPE_CHECKING:
    from .config import S3

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


def checksum_to_send(config: S3, *, is_amazon: bool) -> Algorithm | None:
    """The checksum of the content of writes; None is none.

    Arguments:
        config: the settings, checked.
        is_amazon: whether the bucket is at Amazon, where CRC32 is the default.
    """
    name = (config.checksum_algorithm or "").lower()
    if name:
        return ALGORITHMS.get(name)
    return CRC32 if _is_supported(config.request_checksum_calculation, is_amazon) else None


def is_content_checked(config: S3, *, is_amazon: bool) -> bool:
    """Whether checksums are requested, and the content of reads is compared with them.

    Arguments:
        config: the settings, checked.
        is_amazon: whether the bucket is at Amazon, where that is the default. It is also the default where a checksum
            is set.
    """
    has_checksum = (config.checksum_algorithm or NONE).lower() not in {NONE, "md5"}
    return _is_supported(config.response_checksum_validation, is_amazon or has_checksum)


def _is_supported(setting: str | None, default: bool) -> bool:
    return default if setting is None else setting.lower() == WHEN_SUPPORTED

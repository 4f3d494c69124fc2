"""Headers of requests that are neither metadata nor conditions: of the configuration, and of options of a write.

The source is PutObject in the Amazon S3 API Reference: storage class, ACL, tags and object lock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from entrepot.errors import InvalidInput
from entrepot.raw import OpWrite
from entrepot.raw.http.headers import in_utc
from entrepot.raw.http.transport import Header
from entrepot.raw.http.xml import can_carry

from .encryption import NO_ENCRYPTION, Encryption

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

GOVERNANCE: Final = "GOVERNANCE"
LOCK_MODES: Final = (GOVERNANCE, "COMPLIANCE")


@dataclass(frozen=True, slots=True, repr=False)
class FixedHeaders:
    """The headers that the configuration adds to requests. Its repr shows none of them: one may be a key.

    Arguments:
        every: of every request.
        encryption: the encryption of objects.
        storage_class: the storage class of new objects, unless the call names one.
        acl: the predefined access control of new objects, unless the call names one.
        lock_mode: the mode of the object lock of a write with `retain_until`.

    Attributes:
        of_default: the headers of a request that creates an object without options.
    """

    every: tuple[Header, ...] = ()
    encryption: Encryption = NO_ENCRYPTION
    storage_class: str | None = None
    acl: str | None = None
    lock_mode: str = GOVERNANCE
    of_default: tuple[Header, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "of_default", tuple(self.of_new()))

    @property
    def customer_key(self) -> tuple[Header, ...]:
        """The headers of each request that reads or writes content or metadata of an object."""
        return self.encryption.customer_key

    @property
    def copy_source(self) -> tuple[Header, ...]:
        """The headers of each request that copies from an object, with the customer's key of the source."""
        return self.encryption.copy_source

    def of_new(self, storage_class: str | None = None, acl: str | None = None) -> list[Header]:
        """The headers of a request that creates an object, also as a copy.

        Arguments:
            storage_class: its storage class; None is the configured one.
            acl: its predefined access control; None is the configured one.
        """
        given = {"x-amz-storage-class": storage_class or self.storage_class, "x-amz-acl": acl or self.acl}
        stated = [(name, value) for name, value in given.items() if value is not None]
        return [*stated, *self.encryption.new, *self.customer_key]

    def of_write(self, args: OpWrite) -> list[Header]:
        """The headers of a request that creates an object with the options of a write.

        Raises:
            InvalidInput: a tag cannot be sent.
        """
        headers = self.of_new(args.storage_class, args.acl)
        if args.tags:
            headers.append(("x-amz-tagging", encoded_tags(args.tags)))
        headers.extend(self._lock(args.retain_until))
        if args.legal_hold:
            headers.append(("x-amz-object-lock-legal-hold", "ON"))
        return headers

    def _lock(self, retain_until: datetime | None) -> Iterator[Header]:
        if retain_until is not None:
            yield "x-amz-object-lock-mode", self.lock_mode
            yield "x-amz-object-lock-retain-until-date", f"{in_utc(retain_until):%Y-%m-%dT%H:%M:%SZ}"


NO_HEADERS: Final = FixedHeaders()


def encoded_tags(tags: Mapping[str, str]) -> str:
    """Tags as the value of a header: a percent-encoded query.

    Raises:
        InvalidInput: XML, in which they are read back, cannot write a name or a value.
    """
    check_tags(tags)
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in tags.items())


def check_tags(tags: Mapping[str, str]) -> None:
    """Passes if XML can write all names and values.

    Raises:
        InvalidInput: it cannot.
    """
    if not all(can_carry(text) for tag in tags.items() for text in tag):
        raise InvalidInput("tags cannot hold control characters, and must be valid Unicode text")

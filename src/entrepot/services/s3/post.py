"""Uploads by HTML form, pure. The source is "Browser-based uploads using POST" of the Amazon S3 API Reference."""

from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw import OpPost, OpWrite, is_dir_path
from entrepot.raw.http.form import Condition, Form
from entrepot.raw.http.stored_headers import write_conditions
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.raw.http.url import check_key

from .core import MAX_KEY_BYTES, STORED, S3Core

_FILE_NAME: Final = "${filename}"
"""What S3 replaces, in each field, by the name of the sent file."""


def post_request(core: S3Core) -> HttpRequest:
    """The request that sends a form, without its content."""
    return core.on_bucket("POST", ())


def post_form(core: S3Core, key: str, args: OpPost) -> Form:
    """The form that stores one object, or one object below a directory.

    Raises:
        InvalidInput: a form cannot have the key, the metadata or an option of the write.
    """
    check_key(key, MAX_KEY_BYTES)
    stored = _stored(core, args.write)
    if any(_FILE_NAME in value for value in (key, *(value for _, value in stored))):
        raise InvalidInput(f"a form cannot have {_FILE_NAME} in the path or in metadata: S3 would replace it")
    conditions: list[Condition] = [{"bucket": core.bucket}, *({name: value} for name, value in stored)]
    if is_dir_path(key):
        conditions.append(("starts-with", "$key", key))
        key += _FILE_NAME
    else:
        conditions.append({"key": key})
    if args.content_type_prefix is not None:
        conditions.append(("starts-with", "$Content-Type", args.content_type_prefix))
    if args.content_length is not None:
        conditions.append(("content-length-range", *args.content_length))
    return Form((("key", key), *stored), tuple(conditions))


def _stored(core: S3Core, args: OpWrite) -> list[Header]:
    """The fields for what is stored with the object. They are named as headers, except for the access control."""
    if write_conditions(args):
        raise InvalidInput("a form has no conditions on the object that it replaces")
    if args.tags or args.retain_until is not None or args.legal_hold:
        raise InvalidInput("a form cannot have tags, retain_until or legal_hold")
    if core.fixed.customer_key:
        raise InvalidInput("a form would show the customer's key to whoever sends it")
    headers = [*STORED.to_store(args), *core.fixed.of_new(args.storage_class, args.acl)]
    return [("acl" if name == "x-amz-acl" else name, value) for name, value in headers]

"""The requests that are presigned, pure: GET, HEAD, PUT and DELETE of the XML API."""

from entrepot.errors import Unsupported
from entrepot.raw import OpDelete, OpRead, OpStat, OpWrite
from entrepot.raw.http.dialect import ObjectArgs
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.raw.http.url import Query, encode_query

from .core import GcsCore, snapshot_of, version_query
from .resource import STORED


def presigned(core: GcsCore, key: str, args: ObjectArgs) -> HttpRequest:
    """The request of an operation, before it is signed. Conditions are headers, which its sender must send.

    Raises:
        Unsupported: a condition that the XML API has only for its own etags.
    """
    match args:
        case OpRead():
            stated = range_header(args.range)
            headers = [*_conditions(args), *([("Range", stated)] if stated else [])]
            query = [*version_query(args.version), *_overrides(args)]
            return _request(core, "GET", key, headers, query)
        case OpStat():
            return _request(core, "HEAD", key, _conditions(args), version_query(args.version))
        case OpWrite():
            return _request(core, "PUT", key, [*stored_headers(core, args), *conditional_headers(args)])
        case OpDelete():
            return _request(core, "DELETE", key, conditional_headers(args), version_query(args.version))


def stored_headers(core: GcsCore, args: OpWrite) -> list[Header]:
    """What a write stores beside the content, as headers."""
    acl = args.acl or core.predefined_acl
    named = {
        "x-goog-storage-class": args.storage_class or core.default_storage_class,
        "x-goog-acl": None if acl is None else _hyphenated(acl),
    }
    return [*STORED.to_store(args), *((name, value) for name, value in named.items() if value is not None)]


def conditional_headers(args: OpRead | OpStat | OpWrite | OpDelete) -> list[Header]:
    """The conditions on the object, by its generation."""
    if isinstance(args, OpWrite) and args.if_not_exists:
        return [("x-goog-if-generation-match", "0")]
    if args.if_match is None:
        return []
    if args.if_match == "*":
        raise Unsupported("a presigned request of this storage cannot have if_match='*'")
    generation, metageneration = snapshot_of(args.if_match)
    return [("x-goog-if-generation-match", generation), ("x-goog-if-metageneration-match", metageneration)]


def _conditions(args: OpRead | OpStat) -> list[Header]:
    if args.if_none_match is not None or args.if_modified_since is not None or args.if_unmodified_since is not None:
        raise Unsupported("a presigned request of this storage can have if_match, and no other condition")
    return conditional_headers(args)


def _overrides(args: OpRead) -> Query:
    """The headers that the response has in place of the stored ones."""
    stated = {
        "response-content-type": args.override_content_type,
        "response-content-disposition": args.override_content_disposition,
    }
    return [(name, value) for name, value in stated.items() if value is not None]


def _request(core: GcsCore, method: str, key: str, headers: list[Header], query: Query = ()) -> HttpRequest:
    url = f"{core.xml_url(key)}{encode_query(query)}"
    return HttpRequest(method, url, [*core.every, *headers])


def _hyphenated(acl: str) -> str:
    """The name that the XML API has for a predefined access control: `public-read` for `publicRead`."""
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in acl)

"""Conditions on etags, for requests that the storage offers them by generation only.

Theory of operation. `if_match` of a write, copy or deletion is looked up: the object must have that etag now. The
request then names the generation and metageneration that the object had, so that a change between the two requests
makes it fail. The result is exact: an etag stands for one generation and metageneration.
"""

from typing import Final, TypeVar

from entrepot.errors import ConditionNotMatch, NotFound
from entrepot.raw import OpCopy, OpDelete, OpRead, OpStat, OpWrite
from entrepot.raw.http.client import HttpClient
from entrepot.types.records import replace

from .core import GcsCore, snapshot
from .resource import Resource, parse_resource

Args = TypeVar("Args", bound=OpWrite | OpCopy | OpDelete | OpRead | OpStat)

NEVER: Final = "1/1"
"""The snapshot of no object: generations are microseconds since 1970."""


async def look_up(client: HttpClient[GcsCore], key: str, args: OpStat) -> Resource:
    """The resource of an object.

    Raises:
        NotFound: there is no object.
        ConditionNotMatch: a condition does not hold.
    """
    headers, content = await client.call(client.dialect.head(key, args), args)
    client.dialect.describe_found(headers, content, args)
    return parse_resource(content)


async def resolved(client: HttpClient[GcsCore], key: str, args: Args) -> Args:
    """The arguments with the snapshot that `if_match` stands for.

    Raises:
        ConditionNotMatch: the object has another etag, or there is none.
    """
    if args.if_match is None or args.if_match == "*":
        return args
    try:
        found = await look_up(client, key, OpStat(if_match=args.if_match))
    except NotFound as error:
        raise ConditionNotMatch("if_match does not hold: there is no object", context=error.context) from None
    return replace(args, if_match=snapshot(found))


async def resolved_to_sign(client: HttpClient[GcsCore], key: str, args: Args) -> Args:
    """The arguments of a request that is signed now and sent later, with the snapshot that `if_match` stands for.

    If the etag is another now, that request must fail.
    """
    if args.if_match == "*":
        return replace(args, if_match=None) if isinstance(args, OpRead | OpStat) else args
    try:
        return await resolved(client, key, args)
    except ConditionNotMatch:
        return replace(args, if_match=NEVER)

"""Tags of an object, pure: GetObjectTagging, PutObjectTagging and DeleteObjectTagging of the Amazon S3 API Reference.

PutObjectTagging requires a digest of its content; Content-MD5 is the one that all servers know.
"""

from collections.abc import Mapping
from typing import Final

from entrepot.errors import Unexpected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.xml import escaped

from .core import NAMESPACE, S3Core, version_query
from .headers.digests import content_md5
from .headers.fixed_headers import check_tags

_ROWS: Final = frozenset({"Tag"})


def get_tags(core: S3Core, key: str, version: str | None) -> HttpRequest:
    """GetObjectTagging."""
    return core.on_object("GET", key, [("tagging", None), *version_query(version)])


def tags_of(core: S3Core, headers: HttpHeaders, content: bytes) -> dict[str, str]:
    """The tags in a response.

    Raises:
        Error: the response is an error, or cannot be understood.
    """
    document = core.document(headers, content, "Tagging", _ROWS, row_depth=3)
    tags = dict[str, str]()
    for _, values in document.rows:
        name = values.get("Key")
        if name is None:
            raise Unexpected("the storage lists a tag without a name")
        tags[name] = values.get("Value", "")
    return tags


def set_tags(core: S3Core, key: str, tags: Mapping[str, str], version: str | None) -> HttpRequest:
    """PutObjectTagging, or DeleteObjectTagging where no tags are left: not every server takes an empty set.

    Raises:
        InvalidInput: XML cannot write a name or a value.
    """
    check_tags(tags)
    query = [("tagging", None), *version_query(version)]
    if not tags:
        return core.on_object("DELETE", key, query)
    listed = "".join(f"<Tag><Key>{escaped(name)}</Key><Value>{escaped(tags[name])}</Value></Tag>" for name in tags)
    content = f'<Tagging xmlns="{NAMESPACE}"><TagSet>{listed}</TagSet></Tagging>'.encode()
    return core.on_object("PUT", key, query, [content_md5(content)], content)

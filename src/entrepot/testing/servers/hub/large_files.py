"""The content of large files (Git LFS): what the hub says of it, and the storage that has it, on another origin."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from entrepot.testing.scripted_server import ReceivedRequest, whole_response

from .answers import Refused, as_json, etag_of, ranged

PART: Final = 256 * 1024
"""The bytes of a part of an upload. Content that is not larger is sent as a whole."""

SIGNED: Final = "signature=of-the-hub"
"""The credentials in the query of a URL that the hub has signed."""


@dataclass(slots=True)
class LargeFiles:
    """The contents by their SHA-256, and the uploads in parts.

    Attributes:
        endpoint: the URL of the storage, once it runs.
    """

    endpoint: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    _parts: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def batch(self, request: ReceivedRequest, hub: str) -> bytes:
        """The batch API.

        Arguments:
            request: the request.
            hub: the URL of the hub.
        """
        asked = json.loads(request.content)
        base = f"{hub}{request.target.removesuffix('/objects/batch')}"
        return as_json({"transfer": "basic", "objects": [self._upload_actions(base, one) for one in asked["objects"]]})

    def _upload_actions(self, base: str, asked: dict[str, Any]) -> dict[str, Any]:
        oid, size = asked["oid"], asked["size"]
        if not re.fullmatch("[0-9a-f]{64}", oid) or size < 1:
            return {**asked, "error": {"code": 422, "message": "invalid object"}}
        if oid in self.objects:
            return asked
        header: dict[str, str] = {}
        upload = f"{self.endpoint}/{oid}?{SIGNED}"
        if size > PART:
            numbers = range(1, -(-size // PART) + 1)
            header = {f"{number:05}": f"{upload}&part={number}" for number in numbers} | {"chunk_size": str(PART)}
            self._parts[oid] = {}
            upload = f"{base}/complete?{SIGNED}"
        return {
            **asked,
            "actions": {"upload": {"href": upload, "header": header}, "verify": {"href": f"{base}/verify"}},
        }

    def complete(self, request: ReceivedRequest) -> bytes:
        """The end of an upload in parts."""
        stated = json.loads(request.content)
        parts = self._parts.get(stated["oid"], {})
        etags = [{"partNumber": number, "etag": etag_of(part)} for number, part in sorted(parts.items())]
        if stated["parts"] != etags:
            raise Refused("400 Bad Request", message="parts differ")
        self.objects[stated["oid"]] = b"".join(part for _, part in sorted(parts.items()))
        return as_json({"success": True})

    def verify(self, request: ReceivedRequest) -> bytes:
        """The check of an upload."""
        stated = json.loads(request.content)
        content = self.objects.get(stated["oid"])
        if content is None or len(content) != stated["size"] or sha256(content).hexdigest() != stated["oid"]:
            raise Refused("404 Not Found", message="the object is missing or damaged")
        return as_json({})

    def answer(self, request: ReceivedRequest) -> bytes:
        """The storage."""
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if "authorization" in request.headers or query.get("signature") != SIGNED.partition("=")[2]:
            raise Refused("400 Bad Request")
        oid = parts.path.removeprefix("/")
        if request.method == "PUT":
            if "part" in query:
                self._parts[oid][int(query["part"])] = request.content
            elif sha256(request.content).hexdigest() != oid:
                raise Refused("400 Bad Request")
            else:
                self.objects[oid] = request.content
            return whole_response(b"", f"ETag: {etag_of(request.content)}")
        if oid not in self.objects:
            raise Refused("404 Not Found")
        return ranged(
            request, self.objects[oid], 'ETag: "of-the-storage"', "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"
        )

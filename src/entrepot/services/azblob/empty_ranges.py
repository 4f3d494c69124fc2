"""Azurite answers a range that starts at the end of a blob with 206, and the bytes N to N - 1 of N.

No Content-Range says that (RFC 9110, 14.4): Azure responds 416, and so does this.
"""

import re
from typing import Final

from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders, HttpResponse

_RANGE: Final = re.compile(r"bytes ([0-9]{1,19})-(-?[0-9]{1,19})/([0-9]{1,19})")


def as_refused(response: HttpResponse) -> HttpResponse:
    """The response; one with an empty range at the end of the blob as the refusal that it means."""
    stated = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if response.status != 206 or stated is None or parse_length(response.headers.get("content-length")) != 0:
        return response
    first, last, size = map(int, stated.groups())
    if first != size or last != size - 1:
        return response
    headers = HttpHeaders([*response.headers.items()])
    headers["content-range"] = f"bytes */{size}"
    return HttpResponse(416, headers, response.body, response.url)

"""Shared Key: requests to Azure Storage that the key of an account signs.

The source is "Authorize with Shared Key" in the Azure Storage REST API Reference. `string_to_sign` is all of it. The
rest makes the same text of the headers of most requests in a third of the time.

Theory of operation. Most requests of a program have one of a few combinations of header names. The text of each
combination is kept without the values (`_Form`), since values may be secret. Headers that are a tuple are those of many
requests: of them even the values are kept, for the second in which a time is the same (`_Moment`). Such requests
differ by their method, URL and length.
"""

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Final
from urllib.parse import unquote, urlsplit

from entrepot.raw.http.headers import http_date
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.types.records import replace

from .keyed_hash import keyed_states

DATE_NAME: Final = "x-ms-date"
AUTHORIZATION: Final = "Authorization"

_LENGTH: Final = "content-length"
_SIGNED: Final = (
    *("content-encoding", "content-language", _LENGTH, "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
"""The headers whose values are lines of the signed text, in this order."""

_ADDED: Final = frozenset({AUTHORIZATION.lower(), DATE_NAME})
_SORTED: Final = str.maketrans({"-": None, "_": "!"})
"""How Azure sorts the names of headers: hyphens do not count, and an underscore comes before digits and letters."""

_OWN: Final = "x-ms-"
_A_SECOND: Final = timedelta(seconds=1)
_MIN_ORIGIN: Final = len("http://h")
_FORMS: Final = 64
"""How many combinations of header names are remembered. User metadata may have any number of them."""

_PLACE: Final = "\0"
"""The place of the length in a text. No header can have this character."""

_Around = tuple[str, str] | tuple[None, None]
"""The signed text of headers before and after the length of the content."""

_UNUSUAL: Final = (None, None)
"""In its place: the headers are unusual, so that only `string_to_sign` understands them."""


class _Form:
    """The signed text of requests whose headers have the same names: all but the values.

    Arguments:
        names: by the name in lower case: the name as the requests write it. The date and the length are among them.
    """

    __slots__ = ("text", "values")

    def __init__(self, names: Mapping[str, str]) -> None:
        own = sorted((name for name in names if name.startswith(_OWN)), key=_sort_key)
        lines = ["%s\n" if name in names else "\n" for name in _SIGNED]
        self.text = "".join([*lines, *(f"{name.replace('%', '%%')}:%s\n" for name in own)])
        ordered = [*(name for name in _SIGNED if name in names), *own]
        self.values: Callable[[Mapping[str, str]], tuple[str, ...]] = itemgetter(*(names[name] for name in ordered))


class _Moment:
    """One second in which requests are signed.

    Arguments:
        time: a time in that second.

    Attributes:
        start: the start of the second.
        end: its end.
        date: its text in requests.
        known: the text of headers that are a tuple. No repr shows it: it may hold a key.
    """

    __slots__ = ("date", "end", "known", "start")

    def __init__(self, time: datetime) -> None:
        self.start = time.replace(microsecond=0)
        self.end = self.start + _A_SECOND
        self.date = http_date(time)
        self.known: dict[tuple[Header, ...], _Around] = {}


class SharedKey:
    """Signs requests with the key of one account. Threads may share it.

    Arguments:
        account: the name of the account.
        secret: the key.
    """

    __slots__ = ("_account", "_forms", "_inner", "_moment", "_outer", "_start")

    def __init__(self, account: str, secret: bytes) -> None:
        self._account = account
        self._start = f"SharedKey {account}:"
        self._inner, self._outer = keyed_states(secret)
        self._forms: dict[tuple[str, ...], _Form] = {}
        self._moment: _Moment | None = None

    def sign(self, request: HttpRequest, time: datetime) -> HttpRequest:
        """The request with its credentials. Its content must be known: the length is signed.

        Arguments:
            request: the request.
            time: when it is sent, which it states.
        """
        moment = self._moment
        if moment is None or not moment.start <= time < moment.end:
            self._moment = moment = _Moment(time)
        own = request.headers
        around = moment.known.get(own) if isinstance(own, tuple) else None
        before, after = around or self._around(own, moment)
        if before is None:
            return self._sign_any(request, moment.date, time)
        url = request.url
        path = url.find("/", _MIN_ORIGIN)
        is_plain = path >= 0 and "?" not in url
        resource = f"/{self._account}{url[path:]}" if is_plain else _canonical_resource(url, self._account)
        signature = self._signature(f"{request.method}\n{before}{request.size or ''}{after}{resource}")
        signed = [*own, (DATE_NAME, moment.date), (AUTHORIZATION, self._start + signature)]
        return request.signed(signed, partial(self._sign_again, time))

    def _sign_any(self, request: HttpRequest, date: str, time: datetime) -> HttpRequest:
        """Does the same for any headers."""
        unsigned = [header for header in request.headers if header[0].lower() not in _ADDED]
        dated = [*unsigned, (DATE_NAME, date)]
        signature = self._signature(string_to_sign(replace(request, headers=dated, sign_again=None), self._account))
        signed = [*dated, (AUTHORIZATION, self._start + signature)]
        return request.signed(signed, partial(self._sign_again, time))

    def _sign_again(self, time: datetime, request: HttpRequest, headers: Sequence[Header]) -> HttpRequest:
        """A signed request with other headers."""
        unsigned = [header for header in headers if header[0].lower() not in _ADDED]
        return self.sign(replace(request, headers=unsigned, sign_again=None), time)

    def _around(self, own: Sequence[Header], moment: _Moment) -> _Around:
        """The text of headers; `_UNUSUAL` of those that only `string_to_sign` understands."""
        fields = dict(own)
        form = self._forms.get(tuple(fields)) or self._new_form(fields)
        if form is None or len(fields) < len(own):
            return _UNUSUAL
        fields[DATE_NAME], fields[_LENGTH] = moment.date, _PLACE
        before, _, after = (form.text % tuple(map(str.strip, form.values(fields)))).partition(_PLACE)
        if isinstance(own, tuple) and len(moment.known) < _FORMS:
            moment.known[own] = before, after
        return before, after

    def _new_form(self, names: Collection[str]) -> _Form | None:
        """The form of headers with these names; None if two differ only in case, or one is signed in another place."""
        by_key = {name.lower(): name for name in names}
        if len(by_key) < len(names) or not by_key.keys().isdisjoint({*_ADDED, _LENGTH}):
            return None
        if len(self._forms) >= _FORMS:
            self._forms.clear()
        form = _Form({**by_key, DATE_NAME: DATE_NAME, _LENGTH: _LENGTH})
        self._forms[tuple(names)] = form
        return form

    def _signature(self, text: str) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text.encode("utf-8", "surrogateescape"))  # an etag may hold bytes that are not UTF-8
        outer.update(inner.digest())
        return b64encode(outer.digest()).decode()


def string_to_sign(request: HttpRequest, account: str) -> str:
    """The text that Shared Key signs.

    Arguments:
        request: the request with all its headers but Authorization.
        account: the name of the account.
    """
    values = {name.lower(): value.strip() for name, value in request.headers}
    values[_LENGTH] = str(request.size or "")
    lines = "".join([f"{values.get(name, '')}\n" for name in _SIGNED])
    names = sorted((name for name in values if name.startswith(_OWN)), key=_sort_key)
    headers = "".join([f"{name}:{values[name]}\n" for name in names])
    return f"{request.method}\n{lines}{headers}{_canonical_resource(request.url, account)}"


def _canonical_resource(url: str, account: str) -> str:
    parts = urlsplit(url)
    lines = [f"/{account}{parts.path or '/'}"]
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    values = sorted((unquote(name).lower(), unquote(value)) for name, _, value in pairs)
    return "\n".join([*lines, *(f"{name}:{value}" for name, value in values)])


def _sort_key(name: str) -> str:
    return name.translate(_SORTED)

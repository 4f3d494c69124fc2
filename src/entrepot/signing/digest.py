"""Digest authentication (RFC 7616): the password is never sent, only a hash of it and of a nonce of the server.

Theory of operation. The server's challenge (a 401 with `WWW-Authenticate: Digest`) has a nonce. The signer keeps the
last challenge and computes a response for each request from it, with a count of its own (`nc`), so that a captured
request cannot be sent again. A server that no longer accepts the nonce sends a new challenge with another 401, and the
request is signed once more (`DigestSigner.correct`). A second 401 for the same request means wrong credentials.

Requests of several tasks and threads share the challenge. It is replaced as a whole, and has its own count, so no lock
is needed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, zip_longest
from typing import Final
from urllib.parse import quote, urlsplit

from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.headers import basic_credentials
from entrepot.raw.http.signer import RequestSigner
from entrepot.raw.http.transport import HttpRequest

_ALGORITHMS: Final = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""The algorithms of the registry of RFC 7616, the strongest first, and their names in `hashlib`."""

_UNAUTHORIZED: Final = 401
_LETTER: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_WORD: Final = f"{_LETTER}+"
# From the start of a word only: a long word that is no name would otherwise be read again from each of its letters.
_PARAMETER: Final = re.compile(rf'(?<!{_LETTER})({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_SCHEME: Final = re.compile(rf"(?:^|,)\s*({_WORD})(?=\s+[^\s=,]|\s*,|\s*$)")
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge of a server.

    Arguments:
        realm: the realm of the credentials.
        nonce: the nonce of the server.
        algorithm: one of `_ALGORITHMS`, with `-sess` where the hash of the password is bound to the nonces.
        opaque: a text that the server wants back; None if it wants none.
        has_qop: whether the server wants a count and a nonce of the client (`qop="auth"`), as all but old ones do.
        hashes_username: whether the user name is sent as a hash.
        uses: counts the requests that use the nonce, from 1.
    """

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str | None = None
    has_qop: bool = True
    hashes_username: bool = False
    uses: Iterator[int] = field(default_factory=lambda: count(1), compare=False, repr=False)


def parse_challenges(value: str) -> list[Challenge]:
    """The digest challenges in a WWW-Authenticate header that can be answered, the strongest algorithm first."""
    schemes = list(_SCHEME.finditer(value))
    ends = [following.start(1) for following in schemes[1:]]
    texts = [value[scheme.start(1) : end] for scheme, end in zip_longest(schemes, ends)]
    digests = [text for text in texts if text.lower().startswith("digest ")]
    challenges = [challenge for text in digests if (challenge := _challenge(text)) is not None]
    return sorted(challenges, key=lambda challenge: list(_ALGORITHMS).index(_base(challenge.algorithm)))


def _challenge(text: str) -> Challenge | None:
    """The challenge of a text; None if it has no nonce, or an algorithm or a protection that is unknown here."""
    stated = {
        name.lower(): token or re.sub(r"\\(.)", r"\1", quoted)
        for name, quoted, token in _PARAMETER.findall(text.partition(" ")[2])
    }
    algorithm = stated.get("algorithm", "MD5")
    protections = [option.strip().lower() for option in stated.get("qop", "").split(",") if option.strip()]
    named = next((name for name in _ALGORITHMS if name == _base(algorithm).upper()), None)
    if named is None or not stated.get("nonce") or (protections and "auth" not in protections):
        return None
    return Challenge(
        realm=stated.get("realm", ""),
        nonce=stated["nonce"],
        algorithm=named + ("-sess" if algorithm.lower().endswith("-sess") else ""),
        opaque=stated.get("opaque"),
        has_qop=bool(protections),
        hashes_username=stated.get("userhash", "").lower() == "true",
    )


def authorization(
    challenge: Challenge, username: str, password: str, method: str, target: str, client_nonce: str
) -> str:
    """The value of the Authorization header that answers a challenge (RFC 7616, 3.4).

    Arguments:
        challenge: the challenge; one of its uses is counted.
        username: the user name.
        password: the password.
        method: the method of the request.
        target: the path and query of the request, as they are sent.
        client_nonce: a nonce that no other request has.
    """
    uses = f"{next(challenge.uses):08x}"
    secret = _hash(challenge, username, challenge.realm, password)
    if challenge.algorithm.endswith("-sess"):
        secret = _hash(challenge, secret, challenge.nonce, client_nonce)
    request = _hash(challenge, method, target)
    counted = (uses, client_nonce, "auth") if challenge.has_qop else ()
    fields = {
        **_username_fields(challenge, username),
        "realm": _quoted(challenge.realm),
        "nonce": _quoted(challenge.nonce),
        "uri": _quoted(target),
        "algorithm": challenge.algorithm,
        "response": _quoted(_hash(challenge, secret, challenge.nonce, *counted, request)),
    }
    if counted:
        fields |= {"qop": "auth", "nc": uses, "cnonce": _quoted(client_nonce)}
    if challenge.opaque is not None:
        fields["opaque"] = _quoted(challenge.opaque)
    return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items())


def _username_fields(challenge: Challenge, username: str) -> Mapping[str, str]:
    if challenge.hashes_username:
        return {"username": _quoted(_hash(challenge, username, challenge.realm)), "userhash": "true"}
    if not _PLAIN.fullmatch(username):
        return {"username*": f"UTF-8''{quote(username, safe='')}"}
    return {"username": _quoted(username)}


def _base(algorithm: str) -> str:
    return algorithm[: -len("-sess")] if algorithm.lower().endswith("-sess") else algorithm


def _hash(challenge: Challenge, *parts: str) -> str:
    name = _ALGORITHMS[_base(challenge.algorithm)]
    return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class DigestSigner(RequestSigner):
    """Answers the digest challenges of a server. It is the signer of a client, and one of its corrections.

    Before the first challenge it sends basic credentials, or none.

    Arguments:
        username: the user name.
        password: the password.
        starts_with_basic: whether requests have basic credentials until the server asks for digest authentication.
    """

    __slots__ = ("_challenge", "_password", "_starts_with_basic", "_username")

    def __init__(self, username: str, password: str, *, starts_with_basic: bool) -> None:
        self._username = username
        self._password = password
        self._starts_with_basic = starts_with_basic
        self._challenge: Challenge | None = None

    @property
    def is_anonymous(self) -> bool:
        return False

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest:
        value = self._authorization(request)
        return request if value is None else request.with_headers([*request.headers, ("Authorization", value)])

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return self.sign_now(request)

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Takes the challenge of a refused request, which is then signed once more."""
        if refusal.status != _UNAUTHORIZED:
            return None
        challenges = parse_challenges(refusal.headers.get("www-authenticate", ""))
        if not challenges:
            return None
        self._challenge = challenges[0]
        return refusal.request

    def _authorization(self, request: HttpRequest) -> str | None:
        challenge = self._challenge
        if challenge is not None:
            parts = urlsplit(request.url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return authorization(
                challenge, self._username, self._password, request.method, target, secrets.token_hex(16)
            )
        return basic_credentials(self._username, self._password) if self._starts_with_basic else None

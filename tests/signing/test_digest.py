"""Digest authentication. The expected values are those of RFC 7616, section 3.9."""

import asyncio
from collections.abc import Sequence

import pytest

from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.signing.digest import Challenge, DigestSigner, authorization, parse_challenges

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
CLIENT = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OFFERED = ", ".join(
    f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={name}, nonce="{NONCE}", opaque="{OPAQUE}"'
    for name in ("MD5", "SHA-256")
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_answers_are_those_of_the_rfc(algorithm: str, response: str) -> None:
    challenge = Challenge("http-auth@example.org", NONCE, algorithm, OPAQUE)
    value = authorization(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", CLIENT)
    assert f'response="{response}"' in value
    assert f'opaque="{OPAQUE}"' in value
    assert "nc=00000001" in value
    assert "Circle" not in value


def test_a_name_that_is_not_ascii_is_sent_as_utf8_or_as_a_hash() -> None:
    name = "J\u00e4s\u00f8n Doe"
    plain = authorization(Challenge("api@example.org", "n", "SHA-256"), name, "p", "GET", "/", "c")
    assert "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe" in plain
    hashed = Challenge("api@example.org", "n", "SHA-512-256", hashes_username=True)
    value = authorization(hashed, name, "p", "GET", "/", "c")
    assert 'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"' in value
    assert "userhash=true" in value


@pytest.mark.parametrize(
    ("header", "algorithms"),
    [
        (OFFERED, ["SHA-256", "MD5"]),
        ('Basic realm="a, Digest b", Digest nonce="n", realm="r"', ["MD5"]),
        ("Negotiate, DIGEST nonce=n, algorithm=sha-256-sess", ["SHA-256-sess"]),
        ('Digest nonce="n", qop="auth-int"', []),
        ('Digest nonce="n", algorithm=SHA-1', []),
        ('Digest realm="r"', []),
        ('Basic realm="Digest nonce=1"', []),
        (f'Digest {"a" * 60_000}, nonce="n"', ["MD5"]),  # which once took a minute
        ("", []),
    ],
)
def test_challenges_are_found_among_others_the_strongest_first(header: str, algorithms: Sequence[str]) -> None:
    assert [challenge.algorithm for challenge in parse_challenges(header)] == algorithms


def _signed(signer: DigestSigner) -> str:
    return dict(signer.sign_now(HttpRequest("GET", "http://h/a?b=c")).headers).get("Authorization", "")


def _refused(status: int, challenge: str) -> Refusal:
    request = HttpRequest("GET", "http://h/a?b=c")
    return Refusal(request, request, status, HttpHeaders([("WWW-Authenticate", challenge)]), b"")


@pytest.mark.parametrize(("starts_with_basic", "first"), [(True, "Basic dTpw"), (False, "")])
def test_a_challenge_is_answered_from_then_on_and_each_use_is_counted(starts_with_basic: bool, first: str) -> None:
    signer = DigestSigner("u", "p", starts_with_basic=starts_with_basic)
    assert _signed(signer) == first
    assert asyncio.run(signer.correct(_refused(403, OFFERED))) is None
    assert asyncio.run(signer.correct(_refused(401, 'Basic realm="r"'))) is None
    refusal = _refused(401, OFFERED)
    assert asyncio.run(signer.correct(refusal)) is refusal.request
    values = [_signed(signer) for _ in range(2)]
    assert ["nc=00000001" in values[0], "nc=00000002" in values[1]] == [True, True]
    assert all('uri="/a?b=c"' in value for value in values)

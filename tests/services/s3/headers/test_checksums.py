"""Checksums: their values, those of objects in parts, the headers that state them, and the comparison on reading."""

import hashlib
import zlib
from base64 import b64decode, b64encode

import pytest
from awscrt import checksums as awscrt

from entrepot.errors import ChecksumMismatch, ConfigInvalid
from entrepot.raw import Context, OpRead, OpStat, OpWrite
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio import Part
from entrepot.services import S3
from entrepot.services.s3 import multipart
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.headers.checksum_options import checksum_to_send, is_content_checked
from entrepot.services.s3.headers.checksums import (
    ALGORITHMS,
    CRC32,
    MD5,
    combined,
    completing,
    content_check,
    declared,
    stated_checksums,
    whole_checksum,
)
from entrepot.testing.transport import MockTransport, reply
from entrepot.types import Checksum, Metadata

GIVEN = {"bucket": "b", "region": "r", "access_key_id": "key", "secret_access_key": "secret"}
PIECES = [b"123", b"", b"456789" * 1000, b"\0" * 70_001]
CONTENT = b"".join(PIECES)
CHECKS = {
    "crc32": 0xCBF43926.to_bytes(4),
    "crc32c": 0xE3069283.to_bytes(4),
    "crc64nvme": 0xAE8B14860A799888.to_bytes(8),
    "sha1": hashlib.sha1(b"123456789").digest(),
    "sha256": hashlib.sha256(b"123456789").digest(),
    "md5": hashlib.md5(b"123456789").digest(),
}
"""The values of the catalogue of CRC algorithms, and of hashlib."""


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_algorithm_has_its_known_value_also_in_pieces(name: str) -> None:
    algorithm = ALGORITHMS[name]
    assert b64decode(algorithm.of(b"123456789")) == CHECKS[name]
    assert algorithm.of((b"1234", memoryview(b"56789"))) == algorithm.of(b"123456789")


@pytest.mark.parametrize(
    ("name", "compute"), [("crc32", zlib.crc32), ("crc32c", awscrt.crc32c), ("crc64nvme", awscrt.crc64nvme)]
)
def test_crcs_of_parts_combine_to_the_crc_of_the_whole(name: str, compute) -> None:
    crc = ALGORITHMS[name].crc
    assert crc is not None
    joint = compute(b"")
    for piece in PIECES:
        joint = combined(crc, joint, compute(piece), len(piece))
    assert joint == compute(CONTENT)
    long = b"x" * 5_000_000
    assert combined(crc, compute(CONTENT), compute(long), len(long)) == compute(CONTENT + long)


def parts_of(name: str) -> list[Part]:
    pieces = [piece for piece in PIECES if piece]
    return [Part(n, '"e"', len(piece), ALGORITHMS[name].of(piece)) for n, piece in enumerate(pieces, 1)]


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme"])
def test_the_checksum_of_an_object_in_parts_is_that_of_its_content_where_it_is_a_crc(name: str) -> None:
    algorithm = ALGORITHMS[name]
    whole = algorithm.of(CONTENT)
    assert whole_checksum(algorithm, parts_of(name)) == Checksum(name, whole)
    assert declared(algorithm) == [
        ("x-amz-checksum-algorithm", name.upper()),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ]
    assert dict(completing(algorithm, parts_of(name))) == {
        "x-amz-checksum-type": "FULL_OBJECT",
        f"x-amz-checksum-{name}": whole,
    }


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_the_sha_of_an_object_in_parts_is_that_of_the_digests_of_its_parts(name: str) -> None:
    digests = b"".join(hashlib.new(name, piece).digest() for piece in PIECES if piece)
    expected = f"{b64encode(hashlib.new(name, digests).digest()).decode()}-3"
    assert whole_checksum(ALGORITHMS[name], parts_of(name)) == Checksum(name, expected, is_composite=True)
    assert dict(completing(ALGORITHMS[name], parts_of(name))) == {"x-amz-checksum-type": "COMPOSITE"}


def test_parts_without_checksums_such_as_copied_ones_are_completed_without() -> None:
    parts = [*parts_of("crc32"), Part(4, '"e"', 5)]
    assert whole_checksum(CRC32, parts) is None
    assert list(completing(CRC32, parts)) == []
    assert declared(MD5) == declared(None) == list(completing(None, parts)) == []


def test_a_completion_repeats_the_checksums_of_the_parts_and_states_the_size() -> None:
    core = S3Core("https://h/b", "h", "b", "r", checksum=CRC32)
    parts = parts_of("crc32")
    request = multipart.complete(core, "k", "u", parts, OpWrite())
    assert f'<ETag>"e"</ETag><ChecksumCRC32>{parts[0].checksum}</ChecksumCRC32>'.encode() in request.body  # type: ignore[operator]
    assert dict(request.headers)["x-amz-mp-object-size"] == str(len(CONTENT))
    assert dict(request.headers)["x-amz-checksum-crc32"] == CRC32.of(CONTENT)
    assert dict(multipart.initiate(core, "k", OpWrite()).headers)["x-amz-checksum-algorithm"] == "CRC32"


def test_a_locked_object_is_sent_with_md5_unless_another_checksum_is() -> None:
    plain, checked = S3Core("https://h/b", "h", "b", "r"), S3Core("https://h/b", "h", "b", "r", checksum=CRC32)
    locked = OpWrite(legal_hold=True)
    assert multipart.checksum_of(plain, OpWrite()) is None
    assert multipart.checksum_of(plain, locked) is MD5
    assert multipart.checksum_of(checked, locked) is CRC32


def test_checksums_are_requested_only_where_content_is_checked() -> None:
    for is_checked in (True, False):
        core = S3Core("https://h/b", "h", "b", "r", is_content_checked=is_checked)
        for request in (core.get("k", OpRead()), core.head("k", OpStat())):
            assert (("x-amz-checksum-mode", "ENABLED") in request.headers) is is_checked
        for presigned in (core.request("k", OpRead()), core.request("k", OpStat())):
            assert [*presigned.headers] == [("Host", "h")]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        ({"x-amz-checksum-crc32": "AAAA"}, (Checksum("crc32", "AAAA"),)),
        ({"x-amz-checksum-crc32": "AAAA-3"}, (Checksum("crc32", "AAAA-3", is_composite=True),)),
        (
            {"x-amz-checksum-type": "COMPOSITE", "x-amz-checksum-sha256": "BB"},
            (Checksum("sha256", "BB", is_composite=True),),
        ),
        (
            {"x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-crc64nvme": "CC", "x-amz-checksum-sha1": "DD"},
            (Checksum("crc64nvme", "CC"), Checksum("sha1", "DD")),
        ),
        ({"x-amz-checksum-xxhash64": "EE"}, ()),
        ({"etag": '"a-2"', "x-amz-checksum-crc32": "AA"}, (Checksum("crc32", "AA", is_composite=True),)),
        (
            {"etag": '"a-2"', "x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-crc32": "AA"},
            (Checksum("crc32", "AA"),),
        ),
    ],
)
def test_metadata_has_the_checksums_that_a_response_states(
    headers: dict[str, str], expected: tuple[Checksum, ...]
) -> None:
    assert stated_checksums(HttpHeaders(headers.items())) == expected
    core = S3Core("https://h/b", "h", "b", "r")
    assert core.describe(HttpHeaders(headers.items())).checksums == expected


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "md5"])
def test_content_is_compared_with_the_checksum_of_the_whole(name: str) -> None:
    check = content_check(HttpHeaders([(f"x-amz-checksum-{name}", ALGORITHMS[name].of(CONTENT))]))
    assert check is not None
    for piece in PIECES:
        check.update(piece)
    check.finish()
    check.update(b"more")
    for _ in range(2):
        with pytest.raises(ChecksumMismatch, match=name):
            check.finish()


def test_a_composite_checksum_cannot_be_compared() -> None:
    assert content_check(HttpHeaders([("x-amz-checksum-crc32", "AAAAAA==-2")])) is None


def test_an_object_is_recognized_by_its_checksum_where_its_etag_is_not_an_md5() -> None:
    size = len(CONTENT)
    parts = parts_of("crc32")
    same = Metadata(content_length=size, etag='"?"', checksums=(Checksum("crc32", CRC32.of(CONTENT)),))
    other = Metadata(content_length=size, etag='"?"', checksums=(Checksum("crc32", CRC32.of(b"x")),))
    assert multipart.is_made_of(same, parts, CRC32)
    assert not multipart.is_made_of(other, parts, CRC32)
    assert not multipart.is_made_of(same, parts, None)
    assert not multipart.is_made_of(Metadata(content_length=size, etag='"?"'), parts, CRC32)


ELSEWHERE = {"endpoint": "https://example.org"}


@pytest.mark.parametrize(
    ("values", "sent", "is_checked"),
    [
        ({}, "crc32", True),
        ({"endpoint": "https://s3.eu-west-1.amazonaws.com"}, "crc32", True),
        (ELSEWHERE, None, False),
        ({"checksum_algorithm": "none"}, None, True),
        ({"checksum_algorithm": "SHA256"}, "sha256", True),
        ({**ELSEWHERE, "checksum_algorithm": "crc64nvme"}, "crc64nvme", True),
        ({**ELSEWHERE, "checksum_algorithm": "md5"}, "md5", False),
        ({"request_checksum_calculation": "when_required"}, None, True),
        ({"request_checksum_calculation": "WHEN_REQUIRED", "checksum_algorithm": "crc32c"}, "crc32c", True),
        ({**ELSEWHERE, "request_checksum_calculation": "when_supported"}, "crc32", False),
        ({"response_checksum_validation": "when_required"}, "crc32", False),
        ({**ELSEWHERE, "response_checksum_validation": "when_supported"}, None, True),
    ],
)
def test_crc32_is_the_default_at_amazon_and_none_elsewhere(
    values: dict[str, str], sent: str | None, is_checked: bool
) -> None:
    config = S3(**{**GIVEN, **values})  # type: ignore[arg-type]
    is_amazon = "example" not in (config.endpoint or "")
    found = checksum_to_send(config, {}, is_amazon=is_amazon)
    assert (None if found is None else found.name) == sent
    assert is_content_checked(config, {}, is_amazon=is_amazon) is is_checked


def test_the_environment_counts_where_the_configuration_is_silent() -> None:
    silent, explicit = S3(**GIVEN), S3(**GIVEN, request_checksum_calculation="when_supported")  # type: ignore[arg-type]
    environ = {"AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED", "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"}
    assert checksum_to_send(silent, environ, is_amazon=True) is None
    assert not is_content_checked(silent, environ, is_amazon=True)
    assert checksum_to_send(explicit, environ, is_amazon=True) is CRC32
    with pytest.raises(ConfigInvalid, match="AWS_REQUEST_CHECKSUM_CALCULATION"):
        checksum_to_send(silent, {"AWS_REQUEST_CHECKSUM_CALCULATION": "no"}, is_amazon=True)


@pytest.mark.parametrize("disable_config_load", [True, False])
def test_the_environment_is_read_unless_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, disable_config_load: bool
) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    config = S3(**GIVEN, disable_config_load=disable_config_load)  # type: ignore[arg-type]
    transport = MockTransport(lambda _: reply(200, headers=[("etag", '"e"')]))
    store = config.build(Context(http=transport))
    assert store._client.dialect.checksum is (CRC32 if disable_config_load else None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "values",
    [
        {"checksum_algorithm": "crc16"},
        {"request_checksum_calculation": "never"},
        {"response_checksum_validation": "yes"},
    ],
)
def test_unknown_values_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ConfigInvalid, match="must be one of"):
        S3(**{**GIVEN, **values})  # type: ignore[arg-type]


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "awscrt", None)
    with pytest.raises(ConfigInvalid, match=r"entrepot\[checksums\]"):
        S3(**GIVEN, checksum_algorithm="crc32c")  # type: ignore[arg-type]
    with pytest.raises(ConfigInvalid, match=r"entrepot\[checksums\]"):
        ALGORITHMS["crc32c"].of(b"")
    both = [("x-amz-checksum-crc64nvme", "AA"), ("x-amz-checksum-sha1", "BB")]
    assert content_check(HttpHeaders(both[:1])) is None
    assert content_check(HttpHeaders(both)) is not None

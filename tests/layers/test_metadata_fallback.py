"""Metadata that a service cannot store is kept as user metadata, or dropped."""

import os
import pickle

import pytest

from entrepot import InvalidInput, Operator, Unsupported
from entrepot.layers import CapabilityOverrideLayer, MetadataFallbackLayer
from entrepot.services import Fs, Memory

HEADERS = {
    "content_type": "text/html",
    "content_disposition": "inline",
    "content_encoding": "gzip",
    "content_language": "de",
    "cache_control": "no-cache",
}
NO_HEADERS = CapabilityOverrideLayer(**{f"{verb}_with_{name}": False for name in HEADERS for verb in ("write", "copy")})


@pytest.fixture(params=["fs", "memory"])
def bare(request, tmp_path):
    """An operator whose service has user metadata, and none of the headers."""
    return Operator(Fs(tmp_path)) if request.param == "fs" else Operator(Memory()).layer(NO_HEADERS)


def headers_of(metadata):
    return {name: getattr(metadata, name) for name in HEADERS}


async def test_headers_are_kept_as_user_metadata(bare):
    op = bare.layer(MetadataFallbackLayer())
    with pytest.raises(Unsupported):
        await bare.write("dir/a", b"bytes", **HEADERS)
    await op.write("dir/a", b"bytes", user_metadata={"mine": "1"}, **HEADERS)
    await op.write("dir/plain", b"bytes")
    metadata = await op.stat("dir/a")
    assert (headers_of(metadata), dict(metadata.user_metadata)) == (HEADERS, {"mine": "1"})
    assert headers_of(await op.stat("dir/plain")) == dict.fromkeys(HEADERS)
    assert (await bare.stat("dir/a")).user_metadata["entrepot-content-type"] == "text/html"
    async with op.reader("dir/a") as reader:
        assert await reader.read() == b"bytes"
        assert headers_of(await reader.metadata()) == HEADERS
    assert [entry.path for entry in await op.list("dir/")] == ["dir/", "dir/a", "dir/plain"]
    assert not any("entrepot-" in str(entry.metadata) for entry in await op.list("dir/"))


async def test_headers_follow_the_object(bare):
    op = bare.layer(MetadataFallbackLayer())
    written = await op.write("a", b"bytes", **HEADERS)
    assert not any(name.startswith("entrepot-") for name in written.user_metadata)
    copied = await op.copy("a", "b")
    assert not any(name.startswith("entrepot-") for name in copied.user_metadata)
    assert headers_of(await op.stat("b")) == HEADERS
    if op.info.capability.rename:
        await op.rename("b", "c")
        assert headers_of(await op.stat("c")) == HEADERS
    await op.write("a", b"again", content_type="text/plain")
    assert headers_of(await op.stat("a")) == dict.fromkeys(HEADERS) | {"content_type": "text/plain"}
    with pytest.raises(Unsupported):
        await op.copy("a", "d", user_metadata={"x": "y"})
    with pytest.raises(Unsupported):
        await op.copy("a", "d", content_type="text/css")
    with pytest.raises(InvalidInput, match="reserved"):
        await op.write("a", b"", user_metadata={"Entrepot-Content-Type": "x"})


async def test_copies_between_stores_carry_the_headers(bare):
    op, store = bare.layer(MetadataFallbackLayer()), Operator(Memory())
    await store.write("a", b"bytes", user_metadata={"mine": "1"}, **HEADERS)
    assert (await store.copy_to(op, "a", "b")).not_carried == ()
    assert (await op.copy_to(store, "b", "c")).not_carried == ()
    metadata = await store.stat("c")
    assert (headers_of(metadata), dict(metadata.user_metadata)) == (HEADERS, {"mine": "1"})


async def test_options_are_dropped(tmp_path):
    bare = Operator(Fs(tmp_path))
    options = {"tags": {"a": "b"}, "storage_class": "COLD", "acl": "private", "user_metadata": {"mine": "1"}, **HEADERS}
    dropping = bare.layer(MetadataFallbackLayer(keep=False, drop=True))
    await dropping.write("a", b"bytes", **options)
    metadata = await bare.stat("a")
    assert (headers_of(metadata), dict(metadata.user_metadata)) == (dict.fromkeys(HEADERS), {"mine": "1"})
    await dropping.copy("a", "b", storage_class="COLD", content_type="text/css")
    assert not dropping.info.capability.write_with_content_type
    for kept, refused in ({"tags": {"a": "b"}}, {"if_match": '"e"'}), ({"storage_class": "COLD"}, {"acl": "private"}):
        some = bare.layer(MetadataFallbackLayer(drop=kept))
        await some.write("c", b"", content_type="a/b", **kept)
        with pytest.raises(Unsupported):
            await some.write("c", b"", **refused)
    assert (await some.stat("c")).content_type == "a/b"


def test_a_service_that_stores_everything_is_left_alone(tmp_path):
    op = Operator(Memory())
    assert op.layer(MetadataFallbackLayer()).info == op.info
    capability = op.layer(NO_HEADERS).layer(MetadataFallbackLayer()).info.capability
    assert capability.write_with_content_type
    assert not capability.copy_with_user_metadata


@pytest.mark.skipif(not hasattr(os, "getxattr"), reason="no extended attributes")
async def test_the_attributes_of_a_file(tmp_path):
    await Operator(Fs(tmp_path)).layer(MetadataFallbackLayer()).write("a", b"", cache_control="no-cache")
    assert os.getxattr(tmp_path / "a", "user.entrepot-cache-control") == b"no-cache"


@pytest.mark.parametrize(
    "values", [{"drop": ["if_match"]}, {"drop": "tags"}, {"drop": 1}, {"drop": [3]}, {"keep": None}]
)
def test_wrong_arguments(values):
    with pytest.raises(InvalidInput):
        MetadataFallbackLayer(**values)


def test_it_can_be_pickled():
    layer = MetadataFallbackLayer(drop=["tags", "acl"])
    assert pickle.loads(pickle.dumps(layer)) == layer


async def test_an_append_and_a_copy_drop_or_refuse_what_they_cannot_keep(tmp_path):
    keeping = Operator(Fs(tmp_path)).layer(MetadataFallbackLayer())
    dropping = Operator(Fs(tmp_path)).layer(MetadataFallbackLayer(drop=True))
    await keeping.write("a", b"1", content_type="text/html")
    with pytest.raises(Unsupported, match="content_type cannot be kept by an append: add it to `drop`"):
        await keeping.write("a", b"2", append=True, content_type="text/css")
    with pytest.raises(Unsupported, match="copy with content_type"):
        await keeping.copy("a", "b", content_type="text/css")
    await keeping.write("a", b"2", append=True)
    await dropping.write("a", b"3", append=True, content_type="text/css")
    await dropping.write("new", b"1", append=True, content_type="text/css")
    await dropping.copy("a", "b", content_type="text/css")
    assert await keeping.read("b") == b"123"
    for path, content_type in {"a": "text/html", "b": "text/html", "new": None}.items():
        assert (await keeping.stat(path)).content_type == content_type

"""Configuration from keywords, mappings and URIs, and every way it can be wrong."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Optional, Union

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.raw import ServiceConfig
from entrepot.raw.config import parse_uri


@dataclass(frozen=True)
class Shop(ServiceConfig):
    SCHEME: ClassVar[str] = "shop"

    name: str
    root: str = "/"
    secret: str | None = field(default=None, repr=False, metadata={"aliases": ("shop_secret",)})
    is_open: bool = False
    shelves: int = 1
    price: float | None = None
    stock: dict[str, bytes] = field(default_factory=dict, init=False)


def test_from_mapping_takes_keys_in_any_case_aliases_and_text() -> None:
    mapping = {"NAME": "n", "shop_secret": "s", "is_open": "on", "shelves": "12", "price": "1.5"}
    shop = Shop.from_mapping(mapping)
    assert (shop.name, shop.secret, shop.is_open, shop.shelves, shop.price) == ("n", "s", True, 12, 1.5)


def test_a_pathlike_value_becomes_text() -> None:
    assert Shop(name=Path("/a/b")).name == "/a/b"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({}, "name is missing"),
        ({"name": "n", "sheves": 2}, "did you mean 'shelves'"),
        ({"name": "n", "shop": 2}, "did you mean 'shop_secret'"),  # one of the words
        ({"name": "n", "open_shelves_now": 2}, "did you mean 'shelves'"),  # one of the words among others
        ({"name": "n", "client_kwargs": 2}, "the keys are is_open, name, "),  # nobody learns anything of a wrong guess
        ({"name": "n", "zzzzzz": 2}, "the keys are"),
        ({"name": "n", "stock": {}}, "there is no key 'stock'"),
        ({"name": "n", "secret": "a", "shop_secret": "b"}, "secret is given twice"),
        ({"name": "n", "Name": "b"}, "name is given twice"),
        ({"name": 5}, "name must be str, not int"),
        ({"name": None}, "name must be str, not NoneType"),
        ({"name": "n", "shelves": "many"}, "shelves cannot be read"),
        ({"name": "n", "shelves": True}, "shelves must be int, not bool"),
        ({"name": "n", "is_open": "perhaps"}, "is_open cannot be read"),
        ({"name": "n", "is_open": 1}, "is_open must be bool, not int"),
    ],
)
def test_what_is_wrong_is_said(mapping: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Shop.from_mapping(mapping)
    assert said in caught.value.message
    assert (caught.value.scheme, caught.value.operation) == ("shop", "configure")


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Shop.from_mapping({"name": "n", "secret": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


def test_a_class_whose_module_is_not_imported_is_checked() -> None:
    """As on a worker that has got it by cloudpickle, which pickles classes of some modules by value."""
    away: Any = type(Shop)("Away", (Shop,), {"__module__": "not.imported", "__annotations__": {}})
    assert away.from_mapping({"name": "n", "shelves": "2"}) == away("n", shelves=2)
    with pytest.raises(ConfigInvalid, match="shelves must be int"):
        away("n", shelves="many")


def test_an_annotation_may_name_what_the_class_body_defines() -> None:
    @dataclass(frozen=True)
    class Local(Shop):
        Size = int | None
        size: "Size" = None

    assert Local.from_mapping({"name": "n", "size": "2"}) == Local("n", size=2)  # type: ignore[abstract]


def test_a_union_may_be_written_in_both_ways() -> None:
    @dataclass(frozen=True)
    class Older(Shop):
        size: Optional[int] = None  # noqa: UP045 - as in programs that ran on Python 3.9
        weight: Union[float, str, None] = None  # noqa: UP007 - the same

    assert Older.from_mapping({"name": "n", "size": "2"}) == Older("n", size=2)  # type: ignore[abstract]
    assert Older("n", weight=1).weight == 1  # type: ignore[abstract]
    with pytest.raises(ConfigInvalid, match="size must be int, not float"):
        Older("n", size=2.5)  # type: ignore[abstract, arg-type]


@pytest.mark.parametrize("hint", [Any, Literal["a", "b"], Literal["a"] | None, "Any"])
def test_an_annotation_without_classes_names_its_field(hint: Any) -> None:
    odd: Any = dataclass(frozen=True)(type(Shop)("Odd", (Shop,), {"__annotations__": {"kind": hint}, "kind": "a"}))
    with pytest.raises(
        TypeError, match=r"^Odd\.kind is annotated as .*; fields of configurations are classes and unions"
    ):
        odd("n")


def test_from_uri_joins_path_query_and_options_with_the_options_first() -> None:
    shop = Shop.from_uri("shop://x/some/ro%20ot?NAME=uri&shelves=3", {"name": "option"})
    assert (shop.name, shop.root, shop.shelves) == ("option", "/some/ro ot", 3)


def test_the_parts_of_a_uri() -> None:
    uri = parse_uri("S3://ke%3Ay:se%2Fcret@host:9000/a/b?region=r&empty=")
    assert (uri.scheme, uri.authority, uri.path) == ("s3", "host:9000", "/a/b")
    assert uri.options == {"username": "ke:y", "password": "se/cret", "region": "r", "empty": ""}
    assert parse_uri("memory").scheme == "memory"
    assert parse_uri("http://[::1]:80/x").authority == "[::1]:80"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b/x#fragment",
        "http://[::1/x",
        "s3://b?novalue",
        "disk:/kept",
        "disk:",
        "disk:?fsync=true",
        "memory?versioned=true",
        "/kept",
        "fs:///data?fsync=true&FSYNC=false",
        "disk:/kept?endpoint=http://h",
        "webdav://me:kept@h/x?password=kept",
    ],
)
def test_what_is_no_uri_is_refused_without_being_repeated(uri: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_uri(uri)
    assert uri not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "is_cut"),
    [
        ("s3://key:sec/ret@bucket/a", True),
        ("redis://:12/ret@host/0", True),
        ("redis://:/ret@host/0", True),
        ("sftp://user:?ret@host", True),
        ("https://user:123456/ret@host", True),
        ("https://user:p#ret@host", True),
        ("ftp://user:sec%2Fret@host/a@b", False),
        ("https://host:8443/@scope/a:b@c", False),
        ("http://[::1]:80/a@b", False),
        ("s3://bucket/a:b@c", False),
        ("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/name/a@b", False),
        ("hf://datasets/owner/name@main/a", False),
        ("fs:///a:b/c@d", False),
        ("zip://root::https://user:word@host/a.zip", False),
        ("zip://root::https://user:sec/ret@host/a.zip", True),
    ],
)
def test_a_password_that_is_cut_is_refused_without_being_repeated(uri: str, is_cut: bool) -> None:
    if not is_cut:
        Operator.from_uri(uri)
        return
    with pytest.raises(ConfigInvalid, match="write %2F") as caught:
        Operator.from_uri(uri)
    assert "ret" not in str(caught.value)

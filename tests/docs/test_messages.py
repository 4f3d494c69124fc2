"""No error, warning, repr or log line shows a value that was not validated: it may be a secret in the wrong place.

Every public constructor, option, argument and key is given values of wrong types and with wrong characters that hold
one secret. The errors are looked at with all that led to them.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from entrepot import BytesRange, ConfigInvalid, Error, InvalidInput, Operator, Reader, layers
from entrepot.facade.options import _CHECKS
from entrepot.raw import Context, ServiceConfig
from entrepot.raw.http.aiohttp import AiohttpTransport
from entrepot.services import S3, Fs, Http, Memory
from tests.behavior.targets import DECLARED
from tests.docs.test_config_tables import CONFIGS

SECRET = "hUnter2/Secret+7"
VALID: dict[str, dict[str, Any]] = {
    scheme: {
        field.name: value
        for field in fields(targets[0].sample)
        if field.init and (value := getattr(targets[0].sample, field.name)) != field.default
    }
    for scheme, targets in DECLARED.items()
}
"""The values of a configuration of each service that works."""


REQUIRED: dict[type, dict[str, Any]] = {
    layers.ConcurrentLimitLayer: {"limit": 1},
    layers.MetricsLayer: {"registry": CollectorRegistry()},
}


class Loose:
    """Something of no use that shows a secret whenever it is asked."""

    def __repr__(self) -> str:
        return SECRET


WRONG: dict[str, Any] = {
    "text": SECRET,
    "text with a line feed": f"{SECRET}\n",
    "text with a surrogate": f"{SECRET}\ud800",
    "text that is not ASCII": f"{SECRET}\u2126 ",
    "URL": f"s3://KEY:{SECRET}@b/",
    "URL of HTTP": f"http://KEY:{SECRET}@[b/?{SECRET}#{SECRET}",
    "URL with a wrong host": f"http://KEY:{SECRET.replace('/', '')}@b\u2100/",
    "bytes": SECRET.encode(),
    "mapping": {"secret_access_key": SECRET},
    "mapping by a secret": {SECRET: SECRET},
    "list": [SECRET],
    "pair": (SECRET, SECRET),
    "set": {SECRET},
    "object": Loose(),
    "huge": -(10**5000),
    "flag": True,
    "none": None,
}
wrong = pytest.mark.parametrize("name", WRONG)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it, also where `from None` hides that."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def check(error: BaseException, where: str) -> None:
    """An error is ours, or a `TypeError` of Python for what is not an argument; and it shows no secret."""
    assert isinstance(error, Error), f"{where}: {type(error).__name__}"
    for one in chain(error):
        state = [str(one), repr(one), repr(one.__dict__), *map(repr, one.args), *getattr(one, "__notes__", ())]
        for text in (*state, *traceback.format_exception(one)):
            assert SECRET not in text, f"{where}: {text}"
            assert SECRET.replace("/", "") not in text, f"{where}: {text}"
            assert SECRET.partition("/")[0] not in text, f"{where}: {text}"


def refused(call: Callable[[], object], where: str) -> None:
    """Makes a call that may well be refused."""
    try:
        call()
    except Exception as error:
        check(error, where)


@pytest.fixture(autouse=True)
def no_log_line_shows_it(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text


@wrong
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_no_key_of_a_configuration_is_shown(config: type[ServiceConfig], name: str) -> None:
    value, base = WRONG[name], VALID[config.SCHEME]
    for field in (one for one in fields(config) if one.init):  # type: ignore[arg-type]
        where = f"{config.__name__}.{field.name}"
        refused(lambda given={**base, field.name: value}: config(**given), where)
        refused(lambda given={**base, field.name: value}: config.from_mapping(given), where)
        refused(lambda given={**base, field.name: value}: Operator.from_config(config.SCHEME, given), where)
        if isinstance(value, str):
            refused(lambda key=field.name: Operator.from_uri(f"{config.SCHEME}://b/?{key}={value}"), where)
            refused(lambda: Operator.from_uri(f"{config.SCHEME}://{value}"), where)
    refused(lambda: config.from_mapping(value), config.__name__)
    refused(lambda: config.from_uri(value), config.__name__)
    refused(lambda: Operator.from_config(config.SCHEME, value), config.__name__)
    refused(lambda: Operator.from_config(config.SCHEME, {**base, str(value)[:100]: 1} if name != "huge" else {}), name)


@wrong
def test_no_argument_of_an_operator_is_shown(name: str) -> None:
    value = WRONG[name]
    refused(lambda: Operator(value), "Operator")
    refused(lambda: Operator(Memory(), layers=(value,)), "layers")
    refused(lambda: Operator(Memory(), layers=value), "layers")
    refused(lambda: Operator(Memory(), context=value), "context")
    refused(lambda: Operator(Memory()).layer(value), "layer")
    refused(lambda: Operator.from_uri(value), "from_uri")
    refused(lambda: Operator.from_config(value), "from_config")
    refused(lambda: BytesRange(value), "BytesRange")
    refused(lambda: BytesRange(0, value), "BytesRange")
    refused(lambda: BytesRange(suffix=value), "BytesRange")
    if not isinstance(value, str):
        refused(lambda: Operator(Memory()).at(value), "at")


@pytest.mark.parametrize(("value", "hint"), [(f"s3://KEY:{SECRET}@b/", "from_uri"), ({"key": SECRET}, "from_config")])
def test_a_uri_and_a_mapping_are_told_where_they_belong(value: Any, hint: str) -> None:
    with pytest.raises(InvalidInput, match=rf"Operator\.{hint} takes") as caught:
        Operator(value)
    check(caught.value, hint)


def test_a_scheme_is_not_repeated() -> None:
    with pytest.raises(ConfigInvalid, match="the known ones are") as caught:
        Operator.from_uri(SECRET.replace("/", ""))  # a text without :// is a scheme
    check(caught.value, "scheme")


@wrong
@pytest.mark.parametrize("layer", [getattr(layers, name) for name in layers.__all__], ids=lambda layer: layer.__name__)
def test_no_argument_of_a_layer_is_shown(layer: type, name: str) -> None:
    value = WRONG[name]
    for parameter in inspect.signature(layer).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            for flag in ("read", "delete_max_size"):
                refused(lambda flag=flag: layer(**{flag: value}), f"{layer.__name__}.{flag}")
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            refused(lambda: layer(value), layer.__name__)
        elif layer is not layers.RetryEvent and not (layer is layers.PrefixLayer and isinstance(value, str)):
            if (parameter.name, value) == ("registry", None):
                continue  # that is the registry of the process, which other tests use
            given = {**REQUIRED.get(layer, {}), parameter.name: value}
            refused(lambda given=given: layer(**given), f"{layer.__name__}.{parameter.name}")


@wrong
def test_no_argument_of_the_transport_is_shown(name: str) -> None:
    for key in inspect.signature(AiohttpTransport).parameters:
        if key != "ssl_context":
            refused(lambda key=key: AiohttpTransport(**{key: WRONG[name]}), key)


def operations(op: Operator, value: Any) -> Mapping[str, Callable[[], Any]]:
    """Each argument that is not an option."""
    return {
        "copy_to": lambda: op.copy_to(value, "a", "b"),
        "delete_many concurrent": lambda: op.delete_many(["a"], concurrent=value),
        "list_uploads": lambda: op.list_uploads("/", older_than=value),
        "abort_uploads": lambda: op.abort_uploads("/", older_than=value),
        "abort_uploads concurrent": lambda: op.abort_uploads("/", older_than=timedelta(1), concurrent=value),
        "presign_read": lambda: op.presign_read("a", value),
        "write": lambda: op.write("a", [value]),
        **({} if isinstance(value, str) else paths(op, value)),
    }


def paths(op: Operator, value: Any) -> dict[str, Callable[[], Any]]:
    """Each path. Those that are text are shown."""
    single = ("read", "stat", "exists", "delete", "list", "create_dir", "reader", "lister", "writer", "list_uploads")
    return {
        **{name: lambda name=name: getattr(op, name)(value) for name in single},
        "copy": lambda: op.copy(value, "b"),
        "copy target": lambda: op.copy("a", value),
        "rename": lambda: op.rename(value, "b"),
        "rename target": lambda: op.rename("a", value),
        "copy_to source": lambda: op.copy_to(op, value, "b"),
        "copy_to target": lambda: op.copy_to(op, "a", value),
        "delete_many": lambda: op.delete_many(value if isinstance(value, Mapping) else 5),
        "delete_many of one": lambda: op.delete_many([value]),
        "stat_many of one": lambda: op.stat_many([value]),
        "start_after": lambda: op.list("/", start_after=value),
    }


@wrong
@pytest.mark.parametrize(
    "config", [Memory(), S3(**VALID["s3"], endpoint="http://127.0.0.1:1"), Http("http://127.0.0.1:1")]
)
async def test_no_argument_of_an_operation_is_shown(config: ServiceConfig, name: str) -> None:
    op = Operator(config)
    for where, call in operations(op, WRONG[name]).items():
        await refused_later(call, where)


async def refused_later(call: Callable[[], Any], where: str) -> None:
    try:
        await call()
    except Exception as error:
        check(error, where)


@wrong
@pytest.mark.parametrize("option", [option for option in _CHECKS if option != "start_after"])
async def test_no_option_is_shown(option: str, name: str) -> None:
    op, options = Operator(Memory()), {option: WRONG[name]}
    calls: list[Callable[[], Any]] = [
        lambda: op.read("a", **options),
        lambda: op.stat("a", **options),
        lambda: op.write("a", b"", **options),
        lambda: op.delete("a", **options),
        lambda: op.list("/", **options),
        lambda: op.copy("a", "b", **options),
        lambda: op.rename("a", "b", **options),
        lambda: op.presign_write("a", 60, **options),
    ]
    for call in calls:
        try:
            await call()
        except TypeError as error:
            assert "there is no option" in str(error)
            assert SECRET not in str(error)
        except Exception as error:
            check(error, option)


@wrong
async def test_no_argument_of_a_reader_is_shown(name: str) -> None:
    op, value = Operator(Memory()), WRONG[name]
    await op.write("a", b"content")
    calls: list[Callable[[Reader], Any]] = [
        lambda reader: reader.read(value),
        lambda reader: reader.readexactly(value),
        lambda reader: reader.receive(value),
        lambda reader: reader.readinto(value),
        lambda reader: reader.seek(value),
        lambda reader: reader.seek(0, value),
        lambda reader: reader.fetch(value),
        lambda reader: reader.fetch([value]),
        lambda reader: reader.fetch([(value, value)]),
    ]
    for place, call in enumerate(calls):
        async with op.reader("a") as reader:
            await refused_later(lambda call=call, reader=reader: call(reader), str(place))


@wrong
def test_no_option_is_shown_by_a_builder_or_its_warning(name: str) -> None:
    op, value = Operator(Memory()), WRONG[name]
    for described in (op.read_with("a"), op.blocking().read_with("a")):
        with pytest.warns(RuntimeWarning, match="was never") as caught:
            builder: Any = described.if_match(value).version(value).range(value, value)
            assert SECRET not in repr(builder)
            del described, builder
        assert SECRET not in str(caught[0].message)


def test_what_a_builder_shows_is_enough_to_find_it() -> None:
    builder = Operator(Memory()).write_with("a", b"").user_metadata({"k": SECRET}).chunk(5).if_not_exists()
    assert repr(builder) == "<write_with('a', <bytes>, user_metadata=dict, chunk=5, if_not_exists=True)>"
    builder._used = True


def test_an_unknown_key_is_shown_only_if_it_looks_like_a_name() -> None:
    with pytest.raises(ConfigInvalid, match="there is no key 'roott'; did you mean 'root'") as caught:
        Fs.from_mapping({"roott": "/"})
    assert caught.value.scheme == "fs"
    with pytest.raises(ConfigInvalid, match="there is no key of this name; the keys are") as caught:
        Fs.from_mapping({SECRET: "/"})
    check(caught.value, "key")


def test_a_context_of_the_wrong_type_is_named_by_its_type() -> None:
    with pytest.raises(InvalidInput, match="a context is a Context, not dict"):
        Operator(Memory(), context={"token": SECRET})  # type: ignore[arg-type]
    assert Operator(Memory(), context=Context()).info.scheme == "memory"

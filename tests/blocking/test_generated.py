"""What is generated is what the facade says now."""

import inspect

import pytest

import entrepot
from entrepot import blocking
from entrepot.blocking import calls
from entrepot.facade import futures
from entrepot.facade.options import UncheckedRange
from tests.docs.markdown import SOURCES
from tests.facade.generated import imports_and_the_rest
from tools import generate_blocking

TWINS = {
    entrepot.Operator: blocking.BlockingOperator,
    entrepot.Reader: blocking.BlockingReader,
    entrepot.Writer: blocking.BlockingWriter,
    entrepot.Lister: blocking.BlockingLister,
}
WITHOUT_TWIN = {"blocking", "from_config", "from_uri", "aclose", "receive"}
"""Ways to an `Operator`, and what is called `close` and `read1`."""


def public(cls):
    return {name: one for name, one in inspect.getmembers(cls) if not name.startswith("_")}


@pytest.mark.parametrize("name", generate_blocking.HEADS)
def test_a_module_is_what_the_generator_writes(name):
    """All but its format, which `ruff format` sees to."""
    committed = (SOURCES / "blocking" / f"{name}.py").read_text()
    generated = generate_blocking.generated(name)
    is_same = imports_and_the_rest(committed) == imports_and_the_rest(generated)
    assert is_same, "the facade has changed: run `python tools/generate_blocking.py`"


@pytest.mark.parametrize("cls", TWINS)
def test_every_public_name_has_a_twin_with_the_same_parameters(cls):
    twins = public(TWINS[cls])
    assert set(public(cls)) - set(twins) <= WITHOUT_TWIN
    for name, one in public(cls).items():
        if inspect.isfunction(one) and name not in WITHOUT_TWIN:
            parameters, twin = inspect.signature(one).parameters, inspect.signature(twins[name]).parameters
            named = [(p.name, p.kind, p.default) for p in parameters.values()]
            assert [(p.name, p.kind, p.default) for p in twin.values()] == named, name


def test_every_builder_has_a_twin_with_the_same_steps():
    builders = [name for name in vars(futures) if name.startswith("Future") and name != "Future"]
    assert len(builders) >= 10
    for name in builders:
        twin = getattr(calls, f"{name.removeprefix('Future')}Call")
        assert set(public(twin)) == {*public(getattr(futures, name)), "run"}


def test_every_step_of_a_builder_sets_the_option_of_its_name():
    builders = [one for name, one in vars(calls).items() if name.endswith("Call") and one.__module__ == calls.__name__]
    assert len(builders) >= 10
    for cls in builders:
        for step in set(public(cls)) - {"run"}:
            made = []
            value = {"a": "b"} if step in ("tags", "user_metadata") else "value"
            builder = cls(lambda *subject, made=made, **options: made.append((subject, options)), "x_with", ("a", "b"))
            getattr(builder, step)(*((1, 2) if step == "range" else (value,))).run()
            [(subject, options)] = made
            assert subject == ("a", "b")
            assert options == {step: UncheckedRange(1, 2, None) if step == "range" else value}, (cls, step)


def test_no_docstring_speaks_of_await():
    texts = [inspect.getdoc(one) or "" for cls in TWINS.values() for one in [cls, *public(cls).values()]]
    assert len(texts) > 50
    assert all(texts)
    assert not [text for text in texts if "await it" in text or "async for" in text or "async with" in text]


def test_the_generator_stops_at_a_docstring_that_speaks_of_await():
    with pytest.raises(SystemExit, match="needs a line in WORDS: Await me, and await me again"):
        generate_blocking._without_await("Await me, and await me again.")

"""The options of a method are in its signature, where `help`, IPython and Jupyter look for them."""

import copy
import inspect
import pickle
from dataclasses import fields
from typing import get_type_hints

import jedi
import pytest

from entrepot import BlockingOperator, Operator
from entrepot.facade import keywords, tree_keywords
from entrepot.raw.ops import OPTION_RECORDS
from entrepot.services import Memory

OPTIONS = {
    "read": keywords.ReaderOptions,
    "reader": keywords.ReaderOptions,
    "stat": keywords.StatOptions,
    "write_text": keywords.WriterOptions,
    "delete": keywords.DeleteOptions,
    "lister": keywords.ListerOptions,
    "copy_to": keywords.CopyOptions,
    "presign_post": keywords.PresignWriteOptions,
    "copy_tree": tree_keywords.TreeOptions,
    "sync": tree_keywords.SyncOptions,
}


@pytest.fixture(autouse=True)
def an_operator():
    Operator(Memory()).blocking()


@pytest.mark.parametrize("cls", [Operator, BlockingOperator])
@pytest.mark.parametrize("method", OPTIONS)
def test_a_signature_has_each_option_as_a_keyword(cls, method):
    parameters = inspect.signature(getattr(cls, method)).parameters
    options = [name for name, one in parameters.items() if name in get_type_hints(OPTIONS[method])]
    assert options == list(get_type_hints(OPTIONS[method]))
    assert {parameters[name].kind for name in options} == {inspect.Parameter.KEYWORD_ONLY}
    assert "options" not in parameters


def test_no_public_method_hides_its_options():
    for name, one in inspect.getmembers(Operator, inspect.isfunction):
        hidden = [p.name for p in inspect.signature(one).parameters.values() if p.kind is p.VAR_KEYWORD]
        assert name.startswith("_") or not hidden, name


def test_operations_that_share_an_option_share_its_default():
    defaults = {}
    for record in OPTION_RECORDS:
        for field in fields(record):
            assert defaults.setdefault(field.name, field.default) == field.default, field.name


def test_a_signature_is_a_signature_in_every_use():
    signature = inspect.signature(Operator.stat)
    assert str(signature).startswith("(self, path: 'Path', *, version: 'str | None' = None, if_match: 'str | None' = ")
    assert str(signature).endswith(" -> 'Metadata'")
    assert signature.bind(None, "a", if_match="e").arguments == {"self": None, "path": "a", "if_match": "e"}
    with pytest.raises(TypeError, match="unexpected keyword argument 'if_much'"):
        signature.bind(None, "a", if_much="e")
    assert signature == copy.deepcopy(signature) == pickle.loads(pickle.dumps(signature))
    assert hash(signature) == hash(copy.copy(signature))
    without = signature.replace(return_annotation=None)
    assert (without.return_annotation, without.parameters) == (None, signature.parameters)


COMPLETED = [
    ("op.read('a', if_", ["if_match=", "if_modified_since=", "if_none_match=", "if_unmodified_since="]),
    ("op.writer('a', content_t", ["content_type="]),
    ("await aop.lister('a', rec", ["recursive="]),
    ("op.copy_tree(op, 'a', inc", ["include="]),
    ("op.open('a', 'rb', read_", ["read_ahead="]),
    ("aop.open('a', 'wb', content_t", ["content_type="]),
]

STEPS = [
    ("op.reader_with('a').chunk(8).if_m", ["if_match", "if_modified_since"]),
    ("aop.write_with('a', b'').content_t", ["content_type"]),
]
"""Completed by jedi alone, the default of IPython: without it no call is followed."""


@pytest.fixture
def names():
    operator = Operator(Memory())
    return {"op": operator.blocking(), "aop": operator}


@pytest.mark.parametrize(("text", "completions"), COMPLETED + STEPS)
def test_jedi_completes_the_options_of_a_live_operator(names, text, completions):
    assert [one.name_with_symbols for one in jedi.Interpreter(text, [names]).complete()] == completions


@pytest.mark.parametrize("use_jedi", [True, False])
@pytest.mark.parametrize(("text", "completions"), COMPLETED)
def test_ipython_completes_the_options(names, text, completions, use_jedi):
    completer = pytest.importorskip("IPython.core.completer", reason="IPython is not installed (extra `consumers`)")
    ipython = completer.IPCompleter(namespace=names, use_jedi=use_jedi)
    with completer.provisionalcompleter():
        offered = {one.text.removeprefix(".") for one in ipython.completions(text, len(text))}
    assert set(completions) <= offered

"""The annotations of configurations and records can be evaluated, as tools do that build forms or inject arguments."""

import functools
import inspect
import pkgutil
import subprocess
import sys
import typing
from dataclasses import fields, is_dataclass
from importlib import import_module

import pytest

from entrepot.services import S3

ROOMS = ("errors", "facade", "layers", "raw", "services", "signing", "testing.behavior", "types")


def dataclasses_of(room):
    module = import_module(f"entrepot.{room}")
    paths = getattr(module, "__path__", ())
    modules = [import_module(found.name) for found in pkgutil.walk_packages(paths, f"{module.__name__}.")]
    classes = {value for each in (module, *modules) for value in vars(each).values() if isinstance(value, type)}
    return [each for each in classes if is_dataclass(each) and each.__module__.startswith(module.__name__)]


def constructor_of(cls):
    return cls.__init__ if cls.__init__ is not object.__init__ else cls.__new__


hints_of = functools.partial(typing.get_type_hints, include_extras=True)


def hints_of_arguments(cls):
    """As `typing` and `inspect` find them."""
    parameters = inspect.signature(cls, eval_str=True).parameters
    hints = {name: hint for name, hint in hints_of(constructor_of(cls)).items() if name in parameters}
    assert {name: each.annotation for name, each in parameters.items() if each.annotation is not each.empty} == hints
    return hints


@pytest.mark.parametrize("room", ROOMS)
def test_annotations_can_be_evaluated(room):
    problems = []
    for cls in dataclasses_of(room):
        try:
            hints, declared = hints_of_arguments(cls), hints_of(cls)
        except (NameError, TypeError) as error:
            problems.append(f"{cls.__module__}.{cls.__qualname__}: {error}")
            continue
        code = getattr(constructor_of(cls), "__code__", None)
        is_made = code is not None and code.co_filename == "<string>"
        if is_made and hints != {field.name: declared[field.name] for field in fields(cls) if field.init}:
            problems.append(f"{cls.__module__}.{cls.__qualname__}: other types than those of its fields")
    assert not problems


def test_a_wrapper_of_a_constructor_has_its_annotations():
    @functools.wraps(S3.__init__)
    def wrapper(*args, **kwargs):
        return S3.__init__(*args, **kwargs)

    assert typing.get_type_hints(wrapper) == typing.get_type_hints(S3.__init__)
    assert inspect.signature(wrapper, eval_str=True).parameters["bucket"].annotation is str


@pytest.mark.parametrize("name", ["Metadata", "OpCompleteUpload", "RpListUploads", "RpSharedUpload", "TreeStep"])
def test_what_is_imported_on_use_is_found_by_the_first_who_asks(name):
    home = "entrepot.raw" if name[:2] in {"Op", "Rp"} else "entrepot.types"
    code = f"import typing; from {home} import {name} as cls; typing.get_type_hints(cls)"
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=30)

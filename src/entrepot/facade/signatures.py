"""The signatures of methods whose options are a TypedDict, for interactive help.

`**options: Unpack[ReaderOptions]` names the options for type checkers only. The completion of IPython and Jupyter uses
what `inspect.signature` returns, so each such method has a `__signature__` in which every option is a keyword. It is
made when it is first asked for, and costs a call nothing.

`import entrepot` does not import this module, since it needs `inspect`, which is large. `facade/preload.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from inspect import CO_VARKEYWORDS, Parameter, Signature
from types import FunctionType
from typing import Any, Final, ForwardRef

from entrepot.raw.ops import OPTION_RECORDS

_UNPACKED: Final = "Unpack["
_OF_FILES: Final = ("ReaderOptions", "WriterOptions")
"""The options of `open`: which of the two it takes depends on its mode."""


def name_options(cls: type) -> None:
    """Gives each method of a class that takes options, its own or inherited, a signature that names them."""
    for function in [function for base in cls.__mro__ for function in vars(base).values()]:
        if isinstance(function, FunctionType) and _options_of(function):
            function.__signature__ = OptionSignature(function)  # type: ignore[attr-defined]  # `inspect` reads it


class OptionSignature(Signature):
    """The signature of a function, in which each option is a keyword of its own.

    Arguments:
        function: the function, whose last parameter is `**options`.
    """

    __slots__ = ("_function",)

    def __init__(self, function: FunctionType) -> None:
        self._function = function

    @property
    def parameters(self) -> Any:
        return self._made().parameters

    @property
    def return_annotation(self) -> Any:
        return self._made().return_annotation

    def replace(self, **changes: Any) -> Signature:  # type: ignore[override]  # the result has its parameters at once
        return self._made().replace(**changes)

    def __reduce__(self) -> tuple[Any, ...]:
        return OptionSignature, (self._function,)

    def _made(self) -> Signature:
        signature = _plain(self._function)
        *parameters, _ = signature.parameters.values()
        return signature.replace(parameters=[*parameters, *_keywords(self._function)])


def _plain(function: FunctionType) -> Signature:
    """The signature that the function has without this module."""
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copy.__kwdefaults__, copy.__annotations__ = function.__kwdefaults__, function.__annotations__
    return Signature.from_callable(copy)


def _keywords(function: FunctionType) -> list[Parameter]:
    """A parameter for each option."""
    from . import keywords, tree_keywords, trees

    known = {**vars(tree_keywords), **vars(keywords)}
    names = _options_of(function)
    annotations = {option: hint for name in names for option, hint in known[name].__annotations__.items()}
    defaults = _record_defaults() if hasattr(keywords, names[0]) else _defaults_of_rules(trees.Rules)
    return [
        Parameter(option, Parameter.KEYWORD_ONLY, default=defaults[option], annotation=_shown(annotation))
        for option, annotation in annotations.items()
    ]


def _options_of(function: FunctionType) -> tuple[str, ...]:
    """The names of the TypedDicts of the options; empty if the function has none."""
    if not function.__code__.co_flags & CO_VARKEYWORDS:
        return ()
    if function.__name__ == "open":
        return _OF_FILES
    annotation = str(function.__annotations__.get("options"))
    return (annotation[len(_UNPACKED) : -1],) if annotation.startswith(_UNPACKED) else ()


def _record_defaults() -> Mapping[str, Any]:
    """The default of each option of an operation. Operations that share an option share its default."""
    return {field.name: field.default for record in OPTION_RECORDS for field in fields(record)}


def _defaults_of_rules(rules: type) -> Mapping[str, Any]:
    return {parameter.name: parameter.default for parameter in Signature.from_callable(rules).parameters.values()}


def _shown(annotation: Any) -> Any:
    return annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation

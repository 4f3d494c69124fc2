"""Unusual names, which must be kept as they are by every operation: write, list, stat, read, copy, delete."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from typing import Final

from entrepot.errors import Error, InvalidInput

from .case import case, register
from .expect import check, equal
from .target import Target

ODD_NAMES: Final = {
    "leading_blank": " leading",
    "trailing_blank": "trailing ",
    "only_blanks": "   ",
    "blanks_inside": "a  b/ c /d",
    "tab": "a\tb",
    "plus": "a+b c",
    "percent": "100%",
    "percent_encoded_slash": "a%2Fb",
    "percent_encoded_percent": "a%252Fb%00",
    "question_mark": "a?b=c&d",
    "hash": "a#b",
    "colon": "c:d:e",
    "backslash": "a\\b\\c",
    "quotes": "a'b\"c`d",
    "brackets": "a[b]{c}<d>|e^f",
    "star_and_dollar": "*?$HOME;!&",
    "equals_and_comma": "a=b,c@d",
    "tilde": "~a~",
    "dash": "-rf",
    "leading_dot": ".hidden/.x",
    "three_dots": ".../a...",
    "dots_at_the_end": "a./b..",
    "entities": "a&amp;b&#10;<c/>]]>",
    "composed_letters": unicodedata.normalize("NFC", "café-ñ-Å-한글"),
    "decomposed_letters": unicodedata.normalize("NFD", "café-ñ-Å-한글"),
    "beyond_the_first_plane": "\U0001f600-\U00010348-\U0001d518",
    "right_to_left": "שלום-مرحبا",
    "invisible_signs": "a\u200bb\u2028c\u00a0d\ufeff",
}
"""Names that any storage can have, by their peculiarity."""

KEYS: Final = {
    "double_slash": "a//b",
    "many_slashes": "a///b////c",
    "dot": "a/./b",
    "only_a_dot": "./b",
    "two_dots": "a/../b",
    "two_dots_at_the_end": "a/b/..",
    "two_dots_between_backslashes": "a\\..\\b",
}
"""Names that are possible where names are keys, and that a tree of directories would resolve or refuse."""

LENGTH_OF_A_KEY: Final = 1024
"""The most bytes of UTF-8 of a key, with the root of the operator."""


def _round_trip(name: str) -> Callable[[Target], Awaitable[None]]:
    async def run(target: Target) -> None:
        parent = target.directory()
        await _goes_round(target, parent, parent + name)

    return run


async def _goes_round(target: Target, parent: str, path: str) -> None:
    content = await target.put(path)
    equal((await target.operator.stat(path)).content_length, len(content), f"the length of {path!r}")
    equal(await target.operator.read(path), content, f"the content of {path!r}")
    if target.has("list"):
        await _is_listed(target, parent, path)
    if target.has("copy"):
        await _is_copied(target, path, content)
    if target.has("delete"):
        await target.operator.delete(path)
        equal(await target.operator.exists(path), expected=False, what=f"exists, of {path!r} after its deletion")


async def _is_listed(target: Target, parent: str, path: str) -> None:
    entries = await target.listed(parent, recursive=True)
    files = [listed for listed, entry in entries.items() if entry.metadata.is_file]
    equal(files, [path], "the files below the directory")
    level = parent
    while level != path:  # each directory lists the next one down
        rest = path[len(level) :]
        below = level + (rest if "/" not in rest else rest[: rest.index("/") + 1])
        check(below in await target.listed(level), f"the listing of {level!r} has {below!r}")
        level = below


async def _is_copied(target: Target, path: str, content: bytes) -> None:
    away = target.path("away")
    await target.operator.copy(path, away)
    await target.operator.delete(path)
    await target.operator.copy(away, path)
    equal(await target.operator.read(path), content, f"the content of {path!r}, copied away and back")
    await target.operator.delete(away)


for _odd, _name in ODD_NAMES.items():
    register(f"paths.{_odd}", ("stat", "read", "write"), _round_trip(_name))
for _odd, _name in KEYS.items():
    register(f"paths.{_odd}", ("stat", "read", "write", "flat"), _round_trip(_name))


@case("stat", "read", "write")
async def longest_key(target: Target) -> None:
    """A key may have 1,024 bytes of UTF-8."""
    parent = target.directory()
    root = target.info.root.removeprefix("/")
    names = "/".join(["\u00e9" * 50 + "x" * 99] * 6)
    left = LENGTH_OF_A_KEY - len((root + parent).encode())
    cut = names.encode()[:left].decode(errors="ignore")
    await _goes_round(target, parent, parent + cut + "x" * (left - len(cut.encode())))


@case("stat", "read", "write")
async def both_forms_of_a_letter_are_two_names(target: Target) -> None:
    """Composed and decomposed letters, which look alike, make two names."""
    parent = target.directory()
    names = [f"{parent}{unicodedata.normalize(form, 'é')}" for form in ("NFC", "NFD")]
    contents = await target.put_all(names)
    for path, content in contents.items():
        equal(await target.operator.read(path), content, f"the content of {path!a}")


@case("stat", "read", "write")
async def case_of_letters_counts(target: Target) -> None:
    """Capital and small letters make two names."""
    parent = target.directory()
    contents = await target.put_all([f"{parent}name", f"{parent}NAME"])
    for path, content in contents.items():
        equal(await target.operator.read(path), content, f"the content of {path!r}")


@case("stat", "read", "write")
async def two_dots_lead_nowhere(target: Target) -> None:
    """A path with `..` is refused, or is a name like any other: it never reaches another path."""
    file = target.path()
    content = await target.put(file)
    for path in (f"x/../{file}", f"../{file}", f"x/../../{file}"):
        try:
            got = await target.operator.read(path)
        except Error as error:
            equal(error.operation, "read", f"the operation that the error of {path!r} names")
        else:
            check(got != content, f"{path!r} leads to {file!r}")
        try:
            await target.operator.write(path, b"reached")
        except Error as error:
            equal(error.operation, "write", f"the operation that the error of {path!r} names")
        equal(await target.operator.read(file), content, f"the content of {file!r} after a write to {path!r}")


@case("stat")
async def names_that_no_storage_can_have_are_refused(target: Target) -> None:
    """A name cannot contain NUL, line ends or lone surrogates; a path must be text."""
    for path in ("a\0b", "a\nb", "a\rb", "a\ud800b"):
        with target.raises(InvalidInput, "stat", path=path):
            await target.operator.stat(path)
    try:
        await target.operator.stat(b"bytes")  # type: ignore[arg-type]
    except InvalidInput as error:
        equal(error.operation, "stat", "the operation that the error names")
    else:
        raise AssertionError("stat of bytes: expected InvalidInput, got no error")

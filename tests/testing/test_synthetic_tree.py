"""The synthetic service of names: it has its native operations, and refuses all others to the stack."""

from dataclasses import replace

import pytest

from entrepot import Capability, Operator
from entrepot.raw import DEFAULT_CREATE_DIR, DEFAULT_LIST, DEFAULT_WRITE, Context, OpDelete, OpList
from entrepot.testing import Misuse, SyntheticTree
from entrepot.testing.synthetic_tree import FLAT, HIERARCHICAL


@pytest.mark.parametrize("native", [FLAT, HIERARCHICAL])
async def test_an_operator_over_it_writes_lists_and_deletes(native: Capability) -> None:
    tree = SyntheticTree(native, page_size=1)
    op = Operator(tree)
    await op.write("a/b", b"123")
    await op.create_dir("a/c/")
    assert [entry.path for entry in await op.list("a/")] == ["a/", "a/b", "a/c/"]
    assert (await op.stat("a/b")).content_length == 3
    await op.delete("a/", recursive=True)
    assert set(tree.names()) == set()


async def test_what_it_has_not_is_a_misuse() -> None:
    flat = SyntheticTree(replace(FLAT, list_can_prefix=False, list_with_recursive=False)).build(Context())
    for path, args in (("a/", OpList(recursive=True)), ("a", DEFAULT_LIST)):
        with pytest.raises(Misuse):
            await flat.list(path, args)
    with pytest.raises(Misuse):
        await flat.create_dir("a/", DEFAULT_CREATE_DIR)
    with pytest.raises(Misuse):
        await SyntheticTree(HIERARCHICAL).build(Context()).write("a/", DEFAULT_WRITE)
    _, body = await SyntheticTree(HIERARCHICAL).build(Context()).delete()
    for path, deletion in (("/", OpDelete()), ("a", OpDelete(recursive=True))):
        with pytest.raises(Misuse):
            await body.delete(path, deletion)

"""The suite fails services that misbehave: a case that cannot fail would hold nothing."""

import gc
import warnings
from dataclasses import fields, replace

import pytest

from entrepot import Capability, Error, InvalidInput, Operator, Unexpected
from entrepot.raw import AroundAccessor, LayeredAccessor, OpCopy, OpRead, OpWrite
from entrepot.services import Memory
from entrepot.testing import CASES, cases_for, run_case
from tests.behavior.restricted import Restricted, Wrapped

BY_NAME = {case.name: case for case in CASES}

COMPLETED = {
    "create_dir": {"list"},
    "delete_with_recursive": {"list"},
    "list_with_recursive": None,
    "read_with_suffix": {"stat"},
}
"""The options that the stack completes, with the operations that it needs; None is always completed."""

REFUSED = {
    flag.name: COMPLETED.get(flag.name, set())
    for flag in fields(Capability)
    if f"refusals.{flag.name}" in BY_NAME and COMPLETED.get(flag.name, set()) is not None
}


@pytest.mark.parametrize("flag", REFUSED)
async def test_each_flag_that_is_taken_away_is_refused(flag):
    operator = Operator(Restricted(without=" ".join({flag, *REFUSED[flag]})))
    case = BY_NAME[f"refusals.{flag}"]
    assert case in cases_for(operator.info)
    await run_case(case, operator)


async def test_where_an_object_needs_bytes_an_empty_one_is_refused():
    operator = Operator(Restricted(without="write_can_empty"))
    case = BY_NAME["write.empty_object_is_refused"]
    assert case in cases_for(operator.info)
    await run_case(case, operator)


class Broken(AroundAccessor):
    async def around(self, operation, path, call, *args):
        raise Unexpected("this service is broken")


CHECKED_BEFORE_THE_SERVICE = {
    "read.range_that_cannot_be_is_refused",
    "paths.names_that_no_storage_can_have_are_refused",
    "refusals.abort_upload",
}
"""Cases of calls that are refused before they reach a service, so that a broken service passes them too."""


async def test_a_service_that_fails_at_everything_fails_every_case():
    operator = Operator(Memory(versioned=True)).layer(Wrapped(Broken))
    passed = set()
    for case in cases_for(operator.info):
        try:
            await run_case(case, operator)
        except (AssertionError, Error):
            continue
        passed.add(case.name)
    assert passed == CHECKED_BEFORE_THE_SERVICE


class FailsToEnd(AroundAccessor):
    """Reads, writes and lists, but can finish none of them."""

    async def around(self, operation, path, call, *args):
        if operation in ("writer.close", "read_whole", "reader.read", "lister.next", "stat"):
            raise Unexpected("it cannot be finished")
        return await call(*args)


async def test_a_case_that_fails_leaves_nothing_open():
    """Its traceback keeps what it opened, so that the warning would come in some later test."""
    operator = Operator(Memory(versioned=True)).layer(Wrapped(FailsToEnd))
    failed = 0
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", ResourceWarning)
        for case in cases_for(operator.info):
            try:
                await run_case(case, operator)
            except (AssertionError, Error):
                failed += 1
        gc.collect()
    assert failed > 100
    assert [str(warning.message) for warning in heard] == []


class IgnoresConditions(LayeredAccessor):
    async def read(self, path, args):
        return await self.inner.read(path, OpRead(range=args.range))

    async def write(self, path, args):
        return await self.inner.write(path, OpWrite())

    async def copy(self, source, target, args):
        return await self.inner.copy(source, target, OpCopy(source_version=args.source_version))


class IgnoresTheRange(LayeredAccessor):
    async def read(self, path, args):
        return await self.inner.read(path, replace(args, range=OpRead().range))


class ForgetsTheLastEntry(AroundAccessor):
    async def around(self, operation, path, call, *args):
        result = await call(*args)
        return result[:-1] if operation == "lister.next" and result and len(result) > 1 else result


class GivesEntriesTwice(AroundAccessor):
    async def around(self, operation, path, call, *args):
        result = await call(*args)
        return [*result, result[-1]] if operation == "lister.next" and result else result


class KeepsWhatIsDeleted(AroundAccessor):
    async def around(self, operation, path, call, *args):
        return None if operation == "deleter.delete" else await call(*args)


class DeletesWhatBeginsAlike(AroundAccessor):
    """Deletes `a2` with `a`."""

    async def around(self, operation, path, call, *args):
        result = await call(*args)
        if operation == "deleter.delete":
            await call(f"{args[0]}2", *args[1:])
        return result


class TakesADirectoryForItsName(AroundAccessor):
    """Deletes `a` with `a/`."""

    async def around(self, operation, path, call, *args):
        if operation == "deleter.delete" and args[1].recursive:
            return await call(args[0].rstrip("/"), args[1])
        return await call(*args)


class PublishesAtOnce(LayeredAccessor):
    async def write(self, path, args):
        reply, body = await self.inner.write(path, args)
        _, early = await self.inner.write(path, OpWrite())
        await early.write(b"early")
        await early.close()
        return reply, body


class CopiesNothing(LayeredAccessor):
    async def copy(self, source, target, args):
        _, body = await self.inner.write(target, OpWrite())
        await body.close()
        return await self.inner.copy(source, f"{target}-elsewhere", args)


class LosesUserMetadata(LayeredAccessor):
    async def write(self, path, args):
        return await self.inner.write(path, replace(args, user_metadata=None))


class ResolvesDots(LayeredAccessor):
    """Takes `x/../y` for `y`."""

    def resolved(self, path):
        import posixpath

        return posixpath.normpath(f"/{path}").lstrip("/") if "/../" in f"/{path}/" else path

    async def read(self, path, args):
        return await self.inner.read(self.resolved(path), args)

    async def write(self, path, args):
        return await self.inner.write(self.resolved(path), args)


class ConfusesErrors(AroundAccessor):
    async def around(self, operation, path, call, *args):
        try:
            return await call(*args)
        except Error as error:
            raise InvalidInput(error.message) from None


@pytest.mark.parametrize(
    ("bad", "names"),
    [
        (
            IgnoresConditions,
            "conditions.read_if_match conditions.reader_if_none_match write.if_match write.if_none_match",
        ),
        (IgnoresConditions, "write.if_not_exists write.if_not_exists_has_one_winner write.parts_if_match"),
        (IgnoresConditions, "copy.if_match_that_fails copy.if_not_exists_to_an_old_target"),
        (
            IgnoresTheRange,
            "read.ranges read.range_is_clamped read.suffix read.fetch_of_many_ranges read_only.read_of_a_range",
        ),
        (ForgetsTheLastEntry, "list.tree_recursively list.pages_hold_everything_once list.nested_directories"),
        (GivesEntriesTwice, "list.file_itself list.tree_recursively list.empty_directory_lists_itself"),
        (KeepsWhatIsDeleted, "delete.object_is_gone delete.batch delete.many_paths delete.recursive paths.plus"),
        (DeletesWhatBeginsAlike, "delete.special_characters_are_characters"),
        (TakesADirectoryForItsName, "delete.recursive_with_the_slash_of_a_file"),
        (TakesADirectoryForItsName, "delete.recursive_with_the_slash_beside_an_object_of_the_same_name"),
        (PublishesAtOnce, "write.nothing_is_seen_before_close write.aborted_writer_leaves_nothing"),
        (PublishesAtOnce, "robustness.cancelled_writer_leaves_nothing write.failing_source_leaves_nothing"),
        (CopiesNothing, "copy.content_is_that_of_the_source copy.parents_are_made"),
        (LosesUserMetadata, "write.user_metadata_is_kept copy.user_metadata_is_copied"),
        (ResolvesDots, "paths.two_dots_lead_nowhere"),
        (ConfusesErrors, "stat.missing_file_is_not_found read.missing_object_is_not_found write.if_not_exists"),
        (ConfusesErrors, "refusals.write_with_append rename.missing_source_is_not_found"),
    ],
)
async def test_a_service_that_misbehaves_fails_the_cases_about_it(bad, names):
    for name in names.split():
        operator = Operator(Memory()).layer(Wrapped(bad))
        with pytest.raises((AssertionError, Error, AttributeError)):
            await run_case(BY_NAME[name], operator)


class AsksFirst(LayeredAccessor):
    """Does I/O before it refuses."""

    context = None

    async def stat(self, path, args):
        await self.context.runtime.blocking(len, "")
        return await self.inner.stat(path, args)


async def test_io_before_a_refusal_is_seen():
    class AskingLayer(Wrapped):
        def wrap_context(self, context):
            AsksFirst.context = context
            return context

    plain = Operator(Restricted(without="stat_with_if_match"))
    case = BY_NAME["refusals.stat_with_if_match"]
    await run_case(case, plain)

    class Recording(Operator):
        """Adds the layer that does I/O above the recording layer."""

        def layer(self, layer):
            recorded = super().layer(layer)
            return Operator(recorded._stack.config, layers=(layer, AskingLayer(AsksFirst)), context=recorded._context)

    with pytest.raises(AssertionError, match="which is refused"):
        await run_case(case, Recording(plain._stack.config))


def test_a_case_whose_need_is_misspelt_is_refused():
    from entrepot.testing import Case

    with pytest.raises(ValueError, match="raed"):
        Case("room.name", ("raed",), BY_NAME["read.whole_object"].run)


def test_each_need_has_an_opposite():
    from entrepot.testing import Case

    info = Operator(Memory()).info
    for need in ("put", "flat", "read", "create_dir", "read_with_version"):
        unmet = [
            Case("room.name", (each,), BY_NAME["read.whole_object"].run).unmet(info) for each in (need, f"not {need}")
        ]
        assert sorted(map(len, unmet)) == [0, 1], need

"""When two descriptions can be of the same bytes."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, fields, replace
from datetime import UTC, datetime

import pytest

from entrepot import EntryMode, Metadata
from entrepot.types.metadata import _copied, _Fields

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Metadata(etag='"a"'), Metadata(etag='"a"'), True),
        (Metadata(etag='"a"'), Metadata(etag='"b"'), False),
        (Metadata(version="1", etag='"a"'), Metadata(version="2", etag='"a"'), False),
        (Metadata(version="1", etag='"a"'), Metadata(etag='"a"'), True),
        (Metadata(etag='"a"', last_modified=NOON), Metadata(etag='"a"', last_modified=LATER), True),
        (Metadata(last_modified=NOON, content_length=1), Metadata(last_modified=NOON, content_length=1), True),
        (Metadata(last_modified=NOON, content_length=1), Metadata(last_modified=NOON, content_length=2), False),
        (Metadata(last_modified=NOON), Metadata(last_modified=LATER), False),
        (Metadata(content_length=5), Metadata(), True),
        (Metadata(), Metadata(), True),
    ],
)
def test_is_same_content_by_the_strongest_mark_that_both_have(one: Metadata, other: Metadata, same: bool) -> None:
    assert one.is_same_content(other) is same
    assert other.is_same_content(one) is same


def test_mode_says_what_it_is() -> None:
    assert Metadata().is_file
    assert Metadata(mode=EntryMode.DIR).is_dir
    assert not Metadata(mode=EntryMode.UNKNOWN).is_file


def test_user_metadata_cannot_be_changed_neither_in_place_nor_through_what_was_given() -> None:
    given = {"color": "red"}
    metadata = Metadata(user_metadata=given)
    given["color"] = "blue"
    assert metadata.user_metadata == {"color": "red"}
    with pytest.raises(TypeError):
        metadata.user_metadata["color"] = "blue"  # type: ignore[index]


def test_metadata_with_user_metadata_are_values() -> None:
    metadata = Metadata(etag='"a"', last_modified=NOON, user_metadata={"a": "1", "b": "2"})
    same = Metadata(etag='"a"', last_modified=NOON, user_metadata={"b": "2", "a": "1"})
    assert metadata == same == replace(metadata) == copy.deepcopy(metadata) == pickle.loads(pickle.dumps(metadata))
    assert metadata != replace(metadata, user_metadata={})
    assert {metadata, same, Metadata()} == {metadata, Metadata()}
    assert dict(asdict(metadata)["user_metadata"]) == {"a": "1", "b": "2"}


def test_repr_leaves_out_unknown_fields() -> None:
    assert repr(Metadata()) == "Metadata(mode='file')"
    assert repr(Metadata(EntryMode.DIR)) == "Metadata(mode='dir')"
    assert repr(Metadata("file")) == "Metadata(mode='file')"  # type: ignore[arg-type]
    metadata = Metadata(content_length=0, etag='"a"', is_current=False, is_deleted=True, user_metadata={"a": "1"})
    assert repr(metadata) == (
        "Metadata(mode='file', content_length=0, etag='\"a\"', is_current=False, is_deleted=True, "
        "user_metadata={'a': '1'})"
    )


def test_every_field_can_be_given_by_name_and_by_place_and_has_its_default() -> None:
    parameters = inspect.signature(Metadata).parameters.values()
    assert [(one.name, one.default) for one in parameters] == [
        (field.name, field.default) for field in fields(Metadata)
    ]
    values = {field.name: {"a": "1"} if field.name == "user_metadata" else field.name for field in fields(Metadata)}
    for metadata in (Metadata(**values), Metadata(*values.values())):  # type: ignore[arg-type]
        assert asdict(metadata) == values
    assert asdict(Metadata()) == {field.name: field.default for field in fields(Metadata)}


def test_metadata_cannot_be_changed() -> None:
    metadata = Metadata(etag='"a"')
    for name in [field.name for field in fields(Metadata)]:
        with pytest.raises(FrozenInstanceError):
            setattr(metadata, name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(metadata, name)
    with pytest.raises((FrozenInstanceError, TypeError)):
        metadata.other = 1  # type: ignore[attr-defined]
    assert metadata == Metadata(etag='"a"')
    assert not hasattr(metadata, "__dict__")


def test_metadata_made_by_a_copy_are_equal() -> None:
    """As builds without the GIL make them."""
    made = Metadata(content_length=3, etag='"a"', user_metadata={"a": "1"}, is_current=True)
    fields = _Fields()
    for name in Metadata.__slots__:
        setattr(fields, name, getattr(made, name))
    copy_of_fields = _copied(fields)
    assert copy_of_fields == made
    assert type(copy_of_fields) is Metadata


def test_a_subclass_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match="keep what you add beside it"):

        class _Own(Metadata):  # type: ignore[misc]
            more = 1

"""Where the behaviour suite runs on the s3 service, and what each server lacks.

A case that a server lacks must fail there; once it passes the test fails, so that the line is removed. Nothing here is
lacking in entrepot.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.raw.suite import Place, Sometimes, Store, SuiteTarget, all_of

from .config import S3

_WEED_PATHS: Final = "it keeps names as a tree of files: empty parts of a name and backslashes are not kept as they are"
_WEED_DOTS: Final = "it refuses parts of a name that are one or two dots"
_WEED_MARKERS: Final = "it creates no marker of a directory that has contents already"
_WEED_FOLDERS: Final = "it lists directories whose last object is gone"
_MOTO_CONDITIONS: Final = "it ignores the condition"
_MOTO_UPLOADS: Final = "it dates every upload to 2010"
_MOTO_HEAD: Final = "it ignores overrides of the headers of a response to HEAD"
_MOTO_QUERY: Final = "it fails (500) on every request that is signed in its query"

_NO_CONDITIONS: Final = "it ignores conditions of writes, copies and deletions"
_NO_VERSIONS: Final = "it keeps no versions (501)"
_NO_MARKERS: Final = "it lists no markers of directories, and refuses one where a directory has contents"
_TREE: Final = "it keeps names as a tree of files: an object and a directory cannot share a name"
_TREE_PATHS: Final = "it keeps names as a tree of files: empty parts and dots in a name are refused or lost"
_IN_PLACE: Final = "it overwrites in place, so that readers see half a content, or an error"

_RCLONE_TAGS: Final = "it takes a request about tags as one about the object"
_SWIFT_TAGS: Final = "it has no tags (501)"

_TAGS: Final = ("of_a_write", "of_an_object_in_parts", "replaced", "of_what_is_missing")
_FORMS: Final = ("form", "form_with_a_free_name", "form_that_violates_its_policy_is_refused")
_HEADERS: Final = ("content_type", "content_disposition", "cache_control")

_VERSIONS: Final = all_of(
    "versions",
    _NO_VERSIONS,
    *("stat_of_a_version", "stat_of_a_version_of_another_object"),
    *("read_of_a_version", "read_of_a_version_of_another_object", "read_of_a_version_after_a_deletion"),
    *("delete_of_a_version", "delete_of_a_version_of_another_object", "delete_of_many_versions"),
    *("list_of_versions", "list_of_versions_in_pages", "list_of_versions_after_a_path", "list_of_deletions"),
    *("copy_of_a_version", "copy_of_a_version_over_itself", "copy_of_a_version_of_another_object"),
    *("malformed_version", "list_of_versions_and_deletions", "deletion_of_a_deletion_brings_the_object_back"),
    "tags_of_a_version",
)
_CONDITIONS: Final = {
    **all_of("write", _NO_CONDITIONS, "if_not_exists", "if_not_exists_has_one_winner", "parts_if_not_exists"),
    **all_of("write", _NO_CONDITIONS, "if_match", "if_match_of_what_is_missing", "parts_if_match"),
    **all_of("copy", _NO_CONDITIONS, "if_not_exists_to_an_old_target", "if_match_that_fails"),
    "copy_to.if_not_exists_to_an_old_target": _NO_CONDITIONS,
}
_PATHS: Final = all_of(
    "paths", _TREE_PATHS, "double_slash", "many_slashes", "dot", "only_a_dot", "two_dots", "two_dots_at_the_end"
)
_RACES: Final = all_of(
    "robustness",
    Sometimes(_IN_PLACE),
    *("cancelled_write_leaves_the_old_or_the_new", "cancelled_copy_leaves_the_old_or_the_new"),
    "readers_never_see_half_a_write",
)

_LACKS: Final[dict[str, dict[str, str]]] = {
    "seaweedfs": {
        "create_dir.directory_outlives_its_contents": _WEED_MARKERS,
        "create_dir.directory_with_contents_is_listed": _WEED_MARKERS,
        "delete.directories_that_nobody_made_go_with_their_contents": _WEED_FOLDERS,
        "delete.removed_directory_is_not_listed": _WEED_FOLDERS,
        "paths.backslash": _WEED_PATHS,
        "paths.double_slash": _WEED_PATHS,
        "paths.many_slashes": _WEED_PATHS,
        "paths.dot": _WEED_DOTS,
        "paths.only_a_dot": _WEED_DOTS,
        "paths.two_dots": _WEED_DOTS,
        "paths.two_dots_at_the_end": _WEED_DOTS,
        "paths.two_dots_between_backslashes": _WEED_DOTS,
    },
    "moto": {
        "copy.if_match_that_fails": _MOTO_CONDITIONS,
        "copy.if_not_exists_to_an_old_target": _MOTO_CONDITIONS,
        "write.parts_if_match": _MOTO_CONDITIONS,
        "write.if_not_exists_has_one_winner": Sometimes("it looks for the object and stores it without a lock between"),
        "uploads.young_uploads_are_left": _MOTO_UPLOADS,
        "uploads.a_shared_upload_that_is_aborted_is_gone": "it responds with 500 to the end of an upload that it lacks",
        **all_of("presign", _MOTO_QUERY, "read", "read_of_a_range", "read_under_a_condition", "stat"),
        **all_of("presign", _MOTO_QUERY, "write", "write_under_a_condition", "delete"),
        **all_of("presign", _MOTO_QUERY, "missing_object_is_found_out_by_the_request"),
        **all_of("presign", _MOTO_QUERY, *_FORMS),
        **all_of("overrides", _MOTO_HEAD, *(f"stat_{header}" for header in _HEADERS)),
        **all_of("overrides", _MOTO_QUERY, *(f"presigned_stat_{header}" for header in _HEADERS)),
        **all_of("overrides", _MOTO_QUERY, *(f"presigned_read_{header}" for header in _HEADERS)),
    },
    "rclone": {
        **_VERSIONS,
        **_CONDITIONS,
        **all_of("presign", _NO_CONDITIONS, "read_under_a_condition", "write_under_a_condition"),
        **_PATHS,
        **_RACES,
        **all_of("stat", _NO_MARKERS, "directory_is_found", "parent_of_a_file_is_a_directory"),
        **all_of("list", _NO_MARKERS, "pages_hold_everything_once", "empty_directory_lists_itself"),
        **all_of("list", _NO_MARKERS, "root_lists_directories", "nested_directories"),
        **all_of("list", _NO_MARKERS, "tree_recursively", "tree_recursively_without_its_slash"),
        **all_of("create_dir", _NO_MARKERS, "directory_is_there", "making_twice_is_no_error", "parents_are_made"),
        **all_of("create_dir", _NO_MARKERS, "special_characters_are_characters", "contents_are_kept"),
        **all_of("create_dir", _NO_MARKERS, "directory_outlives_its_contents", "directory_with_contents_is_listed"),
        "read.directory_that_exists_is_refused": _NO_MARKERS,
        **all_of("delete", _NO_MARKERS, "recursive_with_directories", "directory_and_its_contents_in_one_call"),
        "list.object_and_directory_of_one_name": _TREE,
        "delete.recursive_with_an_object_of_the_same_name": _TREE,
        "delete.recursive_with_the_slash_beside_an_object_of_the_same_name": _TREE,
        "read.seek_sequences": "it refuses a suffix that is longer than the object",
        "read.suffix_longer_than_the_object": "it refuses a suffix that is longer than the object",
        **all_of("delete", _NO_CONDITIONS, "if_match_that_fails", "if_match_of_what_is_missing"),
        **all_of("tags", _RCLONE_TAGS, *_TAGS),
        "copy.tags_are_copied_or_replaced": _RCLONE_TAGS,
        "copy.user_metadata_is_copied": "it adds user metadata to a copy",
        "uploads.parts_of_several_senders_make_an_object": "its etag is the MD5 of the content: a repeated end fails",
        "copy.metadata_is_replaced": "it adds the user metadata of a copy to that of the source",
        **all_of("presign", "it takes no forms (400)", *_FORMS),
        "paths.longest_key": "it counts the name of the source of a copy as user metadata, which gets too long",
    },
    "juicefs": {
        **_VERSIONS,
        **_CONDITIONS,
        "presign.write_under_a_condition": _NO_CONDITIONS,
        **_PATHS,
        **_RACES,
        "list.object_and_directory_of_one_name": _TREE,
        "delete.recursive_with_an_object_of_the_same_name": _TREE,
        "delete.recursive_with_the_slash_beside_an_object_of_the_same_name": _TREE,
        "write.content_encoding_is_kept": "it does not keep the content encoding",
        "write.content_language_is_kept": "it does not keep the content language",
        **all_of("delete", _NO_CONDITIONS, "if_match_that_fails", "if_match_of_what_is_missing"),
        "tags.of_what_is_missing": "it fails (500) on setting tags of an object that does not exist",
    },
    "swift": {
        **all_of("write", "it has no if_match (501)", "if_match", "if_match_of_what_is_missing", "parts_if_match"),
        **all_of("copy", "it has no if_match of the target (501)", "if_match_that_holds", "if_match_that_fails"),
        "write.if_not_exists_has_one_winner": Sometimes("it checks first and writes then, so that several win"),
        "copy.if_not_exists_to_a_new_target": "it applies the condition to the source",
        "delete.if_match_of_what_is_missing": "it ignores the condition where there is no object",
        **all_of("tags", _SWIFT_TAGS, *_TAGS),
        "versions.tags_of_a_version": _SWIFT_TAGS,
        "copy.tags_are_copied_or_replaced": _SWIFT_TAGS,
        **all_of("presign", "it takes no forms (412)", *_FORMS),
    },
    "radosgw": {
        **all_of("delete", _NO_CONDITIONS, "if_match_that_fails", "if_match_of_what_is_missing"),
        "write.if_match": "it refuses the right etag too",
        "write.parts_if_match": "it ignores conditions of an object in parts",
        "write.parts_if_not_exists": "it ignores conditions of an object in parts",
        **all_of(
            "copy", "it ignores conditions on the target", "if_match_that_fails", "if_not_exists_to_an_old_target"
        ),
        "copy.tags_are_copied_or_replaced": "it copies the tags of the source, whatever tags the copy states",
        "tags.of_an_object_in_parts": "it sends an empty response to a request for the tags of an object in parts",
    },
}

_SAMPLE: Final = S3(bucket="sample", region="us-east-1", access_key_id="key", secret_access_key="secret")  # noqa: S106
_EXTRA: Final = ("rclone", "juicefs", "swift", "radosgw")
"""The servers that come with the extra `servers`."""


def config_for(server: Any, bucket: str, root: str) -> S3:
    """The configuration of a root in a bucket of an `entrepot.testing.S3Server`."""
    return S3(
        bucket=bucket,
        root=root,
        endpoint=server.endpoint,
        region=server.region,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


def _open(place: Place) -> Store:
    server = place.server
    bucket = server.versioned_bucket() if place.is_versioned else server.bucket
    config = config_for(server, bucket, place.root)
    return Store(config, lambda path, content: server.put(f"{place.root}/{path}", content))


TARGETS: Final = tuple(
    SuiteTarget(name, _SAMPLE, _open, server=name, needs_extra=name in _EXTRA, lacks=lacks)
    for name, lacks in _LACKS.items()
)

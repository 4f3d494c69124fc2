"""The behaviour cases of the project that is our model, and the cases here that check the same.

Keys are their names, without the common prefix; values are our names, or a reason why there is no case.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NotHere:
    """Why a case of theirs has none here.

    Arguments:
        reason: why.
    """

    reason: str


NO_COPIER = NotHere("a copy is one call; no copier object exists")

STAT = {
    "stat_file": "stat.file_has_mode_and_length stat.file_is_no_directory",
    "stat_dir": "stat.directory_is_found",
    "stat_nested_parent_dir": "stat.parent_of_a_file_is_a_directory",
    "stat_with_special_chars": "stat.special_characters_are_characters",
    "stat_not_cleaned_path": "stat.leading_slashes_say_nothing",
    "stat_not_exist": "stat.missing_file_is_not_found stat.missing_directory_is_not_found",
    "stat_with_if_match": "conditions.stat_if_match",
    "stat_with_if_none_match": "conditions.stat_if_none_match",
    "stat_with_if_modified_since": "conditions.stat_if_modified_since",
    "stat_with_if_unmodified_since": "conditions.stat_if_unmodified_since",
    "stat_with_override_cache_control": "overrides.presigned_stat_cache_control",
    "stat_with_override_content_disposition": "overrides.presigned_stat_content_disposition",
    "stat_with_override_content_type": "overrides.presigned_stat_content_type",
    "stat_root": "stat.root_is_a_directory",
    "stat_with_version": "versions.stat_of_a_version",
    "stat_with_not_existing_version": "versions.stat_of_a_version_of_another_object",
    "read_only_stat_file_and_dir": "read_only.stat_of_a_file read_only.stat_of_directories",
    "read_only_stat_special_chars": "read_only.stat_of_special_characters",
    "read_only_stat_not_cleaned_path": "read_only.stat_with_leading_slashes",
    "read_only_stat_not_exist": "read_only.stat_of_what_is_missing",
    "read_only_stat_with_if_match": "read_only.stat_if_match",
    "read_only_stat_with_if_none_match": "read_only.stat_if_none_match",
    "read_only_stat_root": "read_only.stat_of_the_root",
}

READ = {
    "read_full": "read.whole_object",
    "read_range": "read.ranges",
    "read_suffix": "read.suffix",
    "read_suffix_larger_than_file": "read.suffix_longer_than_the_object",
    "read_suffix_zero": "read.suffix_of_no_bytes",
    "reader_suffix_with_chunk": "read.suffix_in_chunks",
    "reader": "read.every_way_of_a_reader",
    "buffer_stream_metadata": "read.metadata_of_a_reader_is_of_the_whole_object",
    "buffer_stream_metadata_with_concurrent": "read.metadata_of_a_reader_in_chunks_is_of_the_whole_object",
    "futures_bytes_stream_metadata": "read.iteration_of_a_range",
    "futures_bytes_stream_metadata_with_concurrent": "read.iteration_of_a_range_in_chunks",
    "read_not_exist": "read.missing_object_is_not_found",
    "reader_with_if_match": "conditions.reader_if_match",
    "read_with_if_match": "conditions.read_if_match",
    "reader_with_if_none_match": "conditions.reader_if_none_match",
    "read_with_if_none_match": "conditions.read_if_none_match",
    "reader_with_if_modified_since": "conditions.reader_if_modified_since",
    "read_with_if_modified_since": "conditions.read_if_modified_since",
    "reader_with_if_unmodified_since": "conditions.reader_if_unmodified_since",
    "read_with_if_unmodified_since": "conditions.read_if_unmodified_since",
    "read_with_dir_path": "read.directory_that_exists_is_refused",
    "read_with_special_chars": "read.special_characters_are_characters",
    "read_with_override_cache_control": "overrides.presigned_read_cache_control",
    "read_with_override_content_disposition": "overrides.presigned_read_content_disposition",
    "read_with_override_content_type": "overrides.presigned_read_content_type",
    "read_with_version": "versions.read_of_a_version",
    "read_with_not_existing_version": "versions.read_of_a_version_of_another_object",
    "read_only_read_full": "read_only.read_of_a_file",
    "read_only_read_full_with_special_chars": "read_only.read_of_special_characters",
    "read_only_read_with_range": "read_only.read_of_a_range",
    "read_only_read_with_suffix": "read_only.read_of_a_suffix",
    "read_only_read_not_exist": "read_only.read_of_what_is_missing",
    "read_only_read_with_dir_path": "read_only.read_of_a_directory",
    "read_only_reader_with_if_match": "read_only.reader_if_match",
    "read_only_read_with_if_match": "read_only.read_if_match",
    "read_only_reader_with_if_none_match": "read_only.reader_if_none_match",
    "read_only_read_with_if_none_match": "read_only.read_if_none_match",
}

WRITE = {
    "write_only": "write.stored_length",
    "write_with_empty_content": "write.empty_object",
    "write_with_dir_path": "write.directory_is_refused",
    "write_with_special_chars": "write.special_characters_are_characters",
    "write_with_cache_control": "write.cache_control_is_kept",
    "write_with_content_type": "write.content_type_is_kept",
    "write_with_content_disposition": "write.content_disposition_is_kept",
    "write_with_content_encoding": "write.content_encoding_is_kept",
    "write_with_user_metadata": "write.user_metadata_is_kept",
    "write_with_if_none_match": "write.if_none_match",
    "write_with_if_not_exists": "write.if_not_exists",
    "write_with_if_match": "write.if_match",
    "write_returns_metadata": "write.write_tells_what_stat_tells",
    "writer_write": "write.parts_one_after_the_other",
    "writer_write_with_concurrent": "write.parts_at_the_same_time",
    "writer_write_with_overwrite": "write.writer_replaces",
    "writer_sink": "write.parts_of_a_chunk_size",
    "writer_sink_with_concurrent": "write.parts_of_a_chunk_size_at_the_same_time",
    "writer_futures_copy": "write.parts_of_a_chunk_size",
    "writer_futures_copy_with_concurrent": "write.parts_of_a_chunk_size_at_the_same_time",
    "writer_abort": "write.aborted_writer_leaves_nothing",
    "writer_abort_with_concurrent": "write.aborted_parts_leave_nothing",
    "writer_return_metadata": "write.close_tells_what_stat_tells",
    "writer_write_non_contiguous_data": "write.everything_like_bytes write.writer_joins_its_pieces",
    "writer_write_with_if_not_exists": "write.parts_if_not_exists",
    "writer_write_with_if_none_match": "write.parts_if_none_match",
    "writer_write_with_if_match": "write.parts_if_match",
    "write_with_append": "append.appends_follow_each_other",
    "write_with_append_returns_metadata": "append.append_tells_what_stat_tells",
    "writer_with_append": "append.writer_appends_piece_by_piece",
}

LIST = {
    "check": "read.storage_can_be_checked",
    "list_dir": "list.file_has_mode_and_length",
    "list_prefix": "list.file_itself",
    "list_rich_dir": "list.pages_hold_everything_once",
    "list_empty_dir": "list.empty_directory_lists_itself",
    "list_non_exist_dir": "list.missing_directory_is_empty",
    "list_non_exist_dir_with_recursive": "list.missing_directory_is_empty_recursively",
    "list_sub_dir": "list.root_lists_directories",
    "list_nested_dir": "list.nested_directories",
    "list_dir_with_file_path": "list.directory_without_its_slash",
    "list_with_start_after": "list.start_after",
    "list_root_with_recursive": "list.root_recursively",
    "list_dir_with_recursive": "list.tree_recursively",
    "list_dir_with_recursive_no_trailing_slash": "list.tree_recursively_without_its_slash",
    "list_file_with_recursive": "list.prefix_recursively",
    "remove_all": "delete.recursive_with_directories",
    "list_files_with_versions": "versions.list_of_versions",
    "list_with_versions_and_limit": "versions.list_of_versions_in_pages",
    "list_with_versions_and_start_after": "versions.list_of_versions_after_a_path",
    "list_files_with_deleted": "versions.list_of_deletions",
    "list_only": "read_only.list_of_the_root",
}

DELETE = {
    "delete_file": "delete.object_is_gone",
    "delete_with_special_chars": "delete.special_characters_are_characters",
    "delete_empty_dir": "delete.empty_directory_is_gone",
    "delete_not_existing": "delete.missing_object_is_no_error",
    "remove_one_file": "delete.leading_slash_says_nothing",
    "delete_stream": "delete.many_paths",
    "delete_with_version": "versions.delete_of_a_version",
    "delete_with_not_existing_version": "versions.delete_of_a_version_of_another_object",
    "batch_delete": "delete.batch",
    "batch_delete_with_version": "versions.delete_of_many_versions",
    "delete_with_recursive_basic": "delete.recursive",
    "remove_all_basic": "delete.recursive_without_the_slash",
    "remove_all_with_prefix_exists": "delete.recursive_with_an_object_of_the_same_name",
}

CREATE_DIR = {
    "create_dir": "create_dir.directory_is_there",
    "create_dir_existing": "create_dir.making_twice_is_no_error",
}

COPY = {
    "copy_file_with_ascii_name": "copy.content_is_that_of_the_source",
    "copy_file_with_non_ascii_name": "copy.names_of_other_scripts",
    "copy_non_existing_source": "copy.missing_source_is_not_found",
    "copy_source_dir": "copy.directory_as_source_is_refused",
    "copy_target_dir": "copy.directory_as_target_is_refused",
    "copy_self": "copy.onto_itself_is_refused",
    "copy_nested": "copy.parents_are_made",
    "copy_overwrite": "copy.target_is_replaced",
    "copy_with_chunk": "copy.hints_change_nothing",
    "copy_with_chunk_and_concurrent": "copy.hints_change_nothing",
    "copier_file": NO_COPIER,
    "copier_completion": NO_COPIER,
    "copier_abort": NO_COPIER,
    "copy_with_if_not_exists_to_new_file": "copy.if_not_exists_to_a_new_target",
    "copy_with_if_not_exists_to_existing_file": "copy.if_not_exists_to_an_old_target",
    "copier_with_if_not_exists_to_new_file": NO_COPIER,
    "copier_with_if_not_exists_to_existing_file": NO_COPIER,
    "copy_with_if_match_match": "copy.if_match_that_holds",
    "copy_with_if_match_mismatch": "copy.if_match_that_fails",
    "copy_with_source_version_to_new_file": "versions.copy_of_a_version",
    "copy_with_source_version_to_same_file": "versions.copy_of_a_version_over_itself",
}

RENAME = {
    "rename_file": "rename.content_moves",
    "rename_nested": "rename.parents_are_made",
    "rename_overwrite": "rename.target_is_replaced",
    "rename_non_existing_source": "rename.missing_source_is_not_found",
    "rename_source_dir": "rename.directory_as_source_is_refused",
    "rename_target_dir": "rename.directory_as_target_is_refused",
    "rename_self": "rename.onto_itself_is_refused",
    "rename_with_if_not_exists": "rename.if_not_exists_to_a_new_target",
    "rename_with_if_not_exists_nested": "rename.if_not_exists_into_missing_parents",
    "rename_with_if_not_exists_returns_condition_not_match": "rename.if_not_exists_to_an_old_target",
}

PRESIGN = {
    "presign_write": "presign.write",
    "presign_read": "presign.read",
    "presign_stat": "presign.stat",
    "presign_delete": "presign.delete",
}

UPSTREAM = {
    "copy": COPY,
    "create_dir": CREATE_DIR,
    "delete": DELETE,
    "list": LIST,
    "presign": PRESIGN,
    "read": READ,
    "rename": RENAME,
    "stat": STAT,
    "write": WRITE,
}

TOTALS = {
    "copy": 21,
    "create_dir": 2,
    "delete": 13,
    "list": 21,
    "presign": 4,
    "read": 37,
    "rename": 10,
    "stat": 23,
    "write": 30,
}
"""How many cases they have of each operation, in release 0.58."""

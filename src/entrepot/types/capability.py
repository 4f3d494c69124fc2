"""What a service can do, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True, repr=False, match_args=False)
class Capability:
    """What a service can do. A flag that is False is refused with `Unsupported` before any I/O.

    A flag is named after what it allows: `stat` the operation, `stat_with_if_match` its option.
    What a service `can` is how it does something natively. The stack completes the rest, so that every
    reader and every listing that an operator gives has all of it:

    - `read_can_seek`, `read_can_next`: its readers have these verbs.
    - `list_can_prefix`: it lists a path that is no directory as a prefix: `"a/b"` gives `"a/b"`, `"a/bc"`.

    A size or number is None where there is no limit:

    - `write_can_empty`: an object may have no bytes.
    - `write_total_max_size`: the most bytes of an object.
    - `write_multi_min_size`, `write_multi_max_size`: the bytes of a part, of objects that are sent in parts;
        the last part may have fewer.
    - `delete_max_size`: how many objects one request can delete.

    `shared` says that other processes see the same objects.
    """

    stat: bool = False
    stat_with_version: bool = False
    stat_with_if_match: bool = False
    stat_with_if_none_match: bool = False
    stat_with_if_modified_since: bool = False
    stat_with_if_unmodified_since: bool = False
    stat_with_override_content_type: bool = False
    stat_with_override_content_disposition: bool = False
    stat_with_override_cache_control: bool = False

    read: bool = False
    read_can_seek: bool = False
    read_can_next: bool = False
    read_with_suffix: bool = False
    read_with_version: bool = False
    read_with_if_match: bool = False
    read_with_if_none_match: bool = False
    read_with_if_modified_since: bool = False
    read_with_if_unmodified_since: bool = False
    read_with_override_content_type: bool = False
    read_with_override_content_disposition: bool = False
    read_with_override_cache_control: bool = False

    write: bool = False
    write_can_empty: bool = False
    write_with_append: bool = False
    write_with_content_type: bool = False
    write_with_content_disposition: bool = False
    write_with_content_encoding: bool = False
    write_with_content_language: bool = False
    write_with_cache_control: bool = False
    write_with_user_metadata: bool = False
    write_with_tags: bool = False
    write_with_storage_class: bool = False
    write_with_acl: bool = False
    write_with_retain_until: bool = False
    write_with_legal_hold: bool = False
    write_with_if_match: bool = False
    write_with_if_none_match: bool = False
    write_with_if_not_exists: bool = False
    write_multi_min_size: int | None = None
    write_multi_max_size: int | None = None
    write_total_max_size: int | None = None

    create_dir: bool = False

    delete: bool = False
    delete_with_version: bool = False
    delete_with_if_match: bool = False
    delete_with_recursive: bool = False
    delete_max_size: int | None = None

    list: bool = False
    list_can_prefix: bool = False
    list_with_recursive: bool = False
    list_with_start_after: bool = False
    list_with_versions: bool = False
    list_with_deleted: bool = False

    copy: bool = False
    copy_with_if_not_exists: bool = False
    copy_with_if_match: bool = False
    copy_with_source_version: bool = False
    copy_with_content_type: bool = False
    copy_with_content_disposition: bool = False
    copy_with_content_encoding: bool = False
    copy_with_content_language: bool = False
    copy_with_cache_control: bool = False
    copy_with_user_metadata: bool = False
    copy_with_tags: bool = False
    copy_with_storage_class: bool = False
    copy_with_acl: bool = False

    rename: bool = False
    rename_with_if_not_exists: bool = False

    get_tags: bool = False
    set_tags: bool = False

    list_uploads: bool = False
    abort_upload: bool = False
    shared_upload: bool = False

    presign: bool = False
    presign_read: bool = False
    presign_stat: bool = False
    presign_write: bool = False
    presign_delete: bool = False
    presign_post: bool = False
    presign_part: bool = False

    shared: bool = False

    def __repr__(self) -> str:
        said = ((flag, getattr(self, flag)) for flag in Capability.__slots__)
        return f"Capability({', '.join(name if value is True else f'{name}={value}' for name, value in said if value)})"

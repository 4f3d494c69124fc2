"""The operations of a service and the verbs of its bodies, by name."""

from enum import StrEnum, unique


@unique
class Operation(StrEnum):
    """The names of the calls that a layer can wrap: operations, and the verbs of the bodies that they return."""

    STAT = "stat"
    READ = "read"
    READER_READ = "reader.read"
    READER_SEEK = "reader.seek"
    READER_NEXT = "reader.next"
    READER_CLOSE = "reader.close"
    WRITE = "write"
    WRITER_WRITE = "writer.write"
    WRITER_CLOSE = "writer.close"
    WRITER_ABORT = "writer.abort"
    CREATE_DIR = "create_dir"
    DELETE = "delete"
    DELETER_DELETE = "deleter.delete"
    DELETER_CLOSE = "deleter.close"
    LIST = "list"
    LISTER_NEXT = "lister.next"
    LISTER_CLOSE = "lister.close"
    COPY = "copy"
    COPIER_NEXT = "copier.next"
    COPIER_CLOSE = "copier.close"
    COPIER_ABORT = "copier.abort"
    RENAME = "rename"
    GET_TAGS = "get_tags"
    SET_TAGS = "set_tags"
    LIST_UPLOADS = "list_uploads"
    ABORT_UPLOAD = "abort_upload"
    SHARED_UPLOAD = "shared_upload"
    PRESIGN = "presign"

    @property
    def capability(self) -> str:
        """The flag of `Capability` without which the operation is refused."""
        return _CAPABILITIES.get(self, self.value)


_BODIES = {"reader": "read", "writer": "write", "deleter": "delete", "lister": "list", "copier": "copy"}
_CAPABILITIES = {
    operation: _BODIES[operation.value.partition(".")[0]] for operation in Operation if "." in operation.value
}

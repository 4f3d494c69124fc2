"""The paths of universal_pathlib for the protocols of `entrepot.integrations.fsspec`.

    from upath import UPath

    text = UPath("entrepot+s3://bucket/a.txt", region="eu-west-1").read_text()

universal_pathlib finds them by itself. Needs the extra `upath`.
"""

from typing import Any

from .extras import not_installed

try:
    from fsspec import get_filesystem_class
    from upath import UPath
except ImportError as error:
    raise not_installed("upath", error) from error

__all__ = ["EntrepotPath"]


class EntrepotPath(UPath):
    """A path in a storage of entrepot, with the methods of `pathlib.Path`.

    Arguments:
        args: a URL such as `entrepot+s3://bucket/a`, and further parts of the path.
        protocol: the protocol, if the first part has none.
        storage_options: the options of the file system; see `entrepot.integrations.fsspec.ServiceFileSystem`.
    """

    __slots__ = ()

    @classmethod
    def _transform_init_args(
        cls, args: tuple[Any, ...], protocol: str, storage_options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], str, dict[str, Any]]:
        """Takes the protocol off the first part, because UPath compares a protocol only up to its `+`.

        It also imports the class of the file system, whose form of paths UPath looks up among the imported ones.
        """
        get_filesystem_class(protocol)
        first = args[0] if args else ""
        if isinstance(first, str) and first.startswith(f"{protocol}://"):
            args = (first.removeprefix(f"{protocol}://"), *args[1:])
        return super()._transform_init_args(args, protocol, storage_options)

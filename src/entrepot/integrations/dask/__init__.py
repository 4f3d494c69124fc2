"""Trees of any size, over a cluster of Dask: copied, brought up to date, deleted, hashed and listed.

    from distributed import Client
    from entrepot import Operator
    from entrepot.integrations.dask import copy_tree

    source = Operator.from_uri("fs:///mnt/archive")
    target = Operator.from_uri("s3://bucket/archive?region=eu-west-1")
    report = copy_tree(Client("tcp://10.0.0.1:8786"), source, target)
    report.check()

The tasks are run by the scheduler of `distributed`, and memory is bounded whatever the number of objects. The calls
wait in the thread that makes them. Needs the extra `dask`; see `docs/scale.md`.
"""

from entrepot.integrations.extras import not_installed

try:
    import distributed as _distributed  # noqa: F401 - the modules below need it
except ImportError as error:
    raise not_installed("dask", error) from error

from .manifest import ManifestDamaged, Row, read_manifest
from .report import ClusterReport
from .settings import RunOptions
from .trees import checksum_tree, copy_tree, delete_tree, list_tree, sync_tree

__all__ = [
    "ClusterReport",
    "ManifestDamaged",
    "Row",
    "RunOptions",
    "checksum_tree",
    "copy_tree",
    "delete_tree",
    "list_tree",
    "read_manifest",
    "sync_tree",
]

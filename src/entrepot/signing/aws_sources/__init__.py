"""Where AWS credentials come from on a machine: the sources of the AWS CLI and SDKs, without botocore.

`default_provider` tries them in the order of botocore. Each source is one module, and a `Source`.
"""

from .chain import Machine, default_provider, default_sources, with_role
from .source import Absent, AwsOptions, Scope, Source

__all__ = [
    "Absent",
    "AwsOptions",
    "Machine",
    "Scope",
    "Source",
    "default_provider",
    "default_sources",
    "with_role",
]

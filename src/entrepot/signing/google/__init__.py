"""Tokens of Google Cloud, where they come from on a machine, and signed URLs.

`default_source` tries the sources of Google's own libraries (Application Default Credentials), in their order. Each
kind of credential is one module, and a `Source`.
"""

from .chain import check_given, default_source, file_source, given_source
from .impersonation import remote_signer
from .source import BlobSigner, Machine, Source
from .token import GoogleToken

__all__ = [
    "BlobSigner",
    "GoogleToken",
    "Machine",
    "Source",
    "check_given",
    "default_source",
    "file_source",
    "given_source",
    "remote_signer",
]

"""The certificate of the server, made at run time, and how all contenders come to trust it.

No contender is told to skip the check: each reads the file of authorities from its usual variable of the environment.
"""

import os
from pathlib import Path
from typing import Final

VARIABLES: Final = ("SSL_CERT_FILE", "AWS_CA_BUNDLE")
"""OpenSSL, rustls, curl and s2n read the first, botocore the second."""


def certify(folder: Path) -> tuple[Path, Path]:
    """Writes a certificate of localhost and its authority.

    Arguments:
        folder: where the files are written.

    Returns:
        The file with the key and the certificate of the server; the file of the authority.
    """
    import trustme

    authority, server, trusted = trustme.CA(), folder / "server.pem", folder / "authority.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(server))
    authority.cert_pem.write_to_path(str(trusted))
    return server, trusted


def trusting(authority: Path) -> dict[str, str]:
    """The environment of a process that trusts an authority, and no other."""
    return {**os.environ, **dict.fromkeys(VARIABLES, str(authority)), "AWS_EC2_METADATA_DISABLED": "true"}

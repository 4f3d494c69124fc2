"""Files of certificates and keys for tests of TLS."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


def write_certificates(folder: Path) -> trustme.CA:
    """Writes certificates to trust, a locked key with its certificate, and a text that is neither."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca"))
    leaf = authority.issue_cert("client")
    leaf.cert_chain_pems[0].write_to_path(str(folder / "cert"))
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"locked"))
    (folder / "locked").write_bytes(locked)
    (folder / "text").write_text("no certificate")
    return authority

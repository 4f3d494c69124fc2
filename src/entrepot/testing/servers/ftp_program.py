"""pyftpdlib as a program: the port, the directory, the user, the password, and the file of a certificate for TLS."""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer


def serve(port: int, folder: str, user: str, password: str, certificate: str | None) -> None:
    """Serves a directory on 127.0.0.1 until the process is stopped."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(user, password, folder, perm="elradfmwMT")
    handler = _secure(certificate) if certificate else FTPHandler
    handler.authorizer = authorizer
    FTPServer(("127.0.0.1", port), handler).serve_forever()


def _secure(certificate: str) -> type[FTPHandler]:
    from pyftpdlib.handlers import TLS_FTPHandler

    handler: type[FTPHandler] = TLS_FTPHandler
    handler.certfile = certificate
    handler.tls_control_required = handler.tls_data_required = True
    return handler


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:5], sys.argv[5] if len(sys.argv) > 5 else None)  # type: ignore[call-arg]

"""HTTP for services: the transport interface, checked bodies, codecs, and a store built from a dialect."""

from .transport import HttpBody, HttpRequest, HttpResponse, HttpTransport

__all__ = ["HttpBody", "HttpRequest", "HttpResponse", "HttpTransport"]

"""HTTP for services: a transport that is one method wide, bodies that are checked, and the codecs."""

from .transport import HttpBody, HttpRequest, HttpResponse, HttpTransport

__all__ = ["HttpBody", "HttpRequest", "HttpResponse", "HttpTransport"]

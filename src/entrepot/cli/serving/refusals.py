"""Requests that are refused, and the status for each error of the storage."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from entrepot import (
    AlreadyExists,
    ConditionNotMatch,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    PermissionDenied,
    Unsupported,
)


class Refused(Exception):
    """A request is answered with a status instead of content.

    Arguments:
        status: the status code.
        message: one sentence for the client. By default the phrase of the status.
        headers: further headers of the response.
    """

    def __init__(self, status: int, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or HTTPStatus(status).phrase
        self.headers = dict(headers or {})


_STATUS: dict[type[Error], int] = {
    NotFound: 404,
    IsADirectory: 409,
    NotADirectory: 409,
    AlreadyExists: 412,
    ConditionNotMatch: 412,
    InvalidInput: 400,
    PermissionDenied: 403,
    Unsupported: 501,
}


def status_of(error: Error) -> int:
    """The status for an error of the storage: 502, or 503 if the same request may succeed later."""
    known = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    return known or (503 if error.is_temporary else 502)

"""One run of a command: its settings, its operators, and the errors that it met."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from entrepot import ConfigInvalid, DeletionsFailed, Error, Operator, StorageFull, TransfersFailed
from entrepot.services.registry import service_class

from .configuration import Remotes, default_path
from .exit_codes import DONE, USAGE, code_of, is_missing_package, line_of, worst
from .output import Output, warn
from .places import Place, Places, is_standard, without_secrets
from .refusals import Refusals


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that every verb has.

    Arguments:
        values: values of configurations, from `-o` and the options that are short for it.
        config: the configuration file; None is the default one.
        retries: how often a call is retried; None is the default.
        bandwidth: bytes per second; None is without limit.
        is_json: results as JSON lines.
        is_quiet: no progress and no results on success.
        verbosity: how often `-v` was given.
    """

    values: Mapping[str, str]
    config: Path | None = None
    retries: int | None = None
    bandwidth: int | None = None
    is_json: bool = False
    is_quiet: bool = False
    verbosity: int = 0


class NotUsable(click.ClickException):
    """A word that leads nowhere as it is written or configured. It is shown as one line, without the usage."""

    exit_code = USAGE

    def show(self, file: object = None) -> None:
        warn(self.message)


class Session:
    """One run of a command.

    Arguments:
        verb: the name of the command, for messages.
        settings: the options.

    Attributes:
        exit_code: the exit code so far.
        guesses_types: whether objects get a media type by their names, in storages that keep one. It applies to the
            places that are found later.
        output: the standard output.
        refusals: the places for which the credentials were refused.
    """

    def __init__(self, verb: str, settings: Settings) -> None:
        self.verb = verb
        self.settings = settings
        self.exit_code = DONE
        self.guesses_types = False
        self.output = Output(is_json=settings.is_json)
        self.refusals = Refusals()
        self._has_left_out = False
        self._operators: dict[str, Operator] = {}
        self._unused = set(settings.values)
        self._joined: set[str] = set()
        self._followed: frozenset[str] = frozenset()
        self._target_of_links: str | None = None
        self._remotes = Remotes(settings.config or default_path(), is_required=settings.config is not None)
        self._places = Places(self._open_uri, self._open_remote)

    def find(self, word: str) -> Place:
        """Returns the place that a word of the command line leads to. Nothing is sent.

        Raises:
            NotUsable: the word leads nowhere, or its storage is not configured.
        """
        try:
            place = self._places.find(word)
            if word in self._followed and place.is_local:
                place = replace(place, operator=self._following(place.operator.info.root))
        except Error as error:
            if isinstance(error, ConfigInvalid) and not is_missing_package(error) and (form := _form_of(word)):
                error.add_context(hint=f"the form is {form}; other values by -o key=value or in the configuration file")
            raise NotUsable(line_of(self.verb, _shown(word), error)) from error
        if "//" in word.partition("://")[2].partition("::")[0] and not place.is_local:
            self._joined.add(place.name)
        return place

    def follow_links(self, words: Iterable[str], target: str | None = None) -> None:
        """Lets local places of some words follow symbolic links wherever they lead. Places found later do so.

        Arguments:
            words: the words.
            target: the word of the place of the copies, which is not entered by a link; None if there are none.
        """
        place = None if target is None or is_standard(target) else self.find(target)
        self._target_of_links = place.local_path() if place is not None and place.is_local else None
        self._followed = frozenset(words)

    def renaming(self, place: Place) -> Place:
        """A local place whose copies to another such place are renames, within one file system."""
        from .renaming import RenamingLayer

        key = f"renames from {place.operator.info.root}"
        if key not in self._operators:
            self._operators[key] = place.operator.layer(RenamingLayer())
        return replace(place, operator=self._operators[key])

    def check_values(self) -> None:
        """Refuses a value of `-o` that no storage of the command knows.

        Raises:
            click.UsageError: there is one.
        """
        if self._unused and self._operators:
            raise click.UsageError(f"no storage of this command has the option {min(self._unused)!r} (see -o)")

    def fail(
        self, place: str, error: BaseException, name_of: Callable[[str], str] = str, *, target: str | None = None
    ) -> None:
        """Reports an error. The command goes on, and ends with the code of the error.

        Arguments:
            place: the place, as the user wrote it.
            error: the error. One that stands for several is reported as these.
            name_of: returns how the user writes the path of one of several.
            target: the place of the copy, which is named if it has failed.
        """
        self.exit_code = worst(self.exit_code, code_of(error))
        self.refusals.latest = error
        if isinstance(error, TransfersFailed | DeletionsFailed):
            for failure in error.failures:
                self._warn(name_of(failure.path) if failure.path else place, failure, target)
        else:
            self._warn(place, error, target)
        self.explain(error)

    def _warn(self, place: str, error: BaseException, target: str | None) -> None:
        if target is not None:
            place = _failed_side(place, target, error)
        warn(line_of(self.verb, place, error, joined=place in self._joined))

    def warn(self, text: str) -> None:
        """Says what else is wrong beside the errors of places."""
        warn(f"entrepot: {self.verb}: {text}")

    def leave_out(self) -> None:
        """Says that places are not tried, since the credentials are refused: once for all of them."""
        if not self._has_left_out:
            self._has_left_out = True
            self.warn("the other places were not tried: the credentials are refused")

    def note(self, text: str) -> None:
        """Says something beside the results, to a person."""
        if not self.settings.is_quiet and not self.settings.is_json:
            warn(text)

    async def close(self) -> None:
        """Closes the operators."""
        for operator in self._operators.values():
            await operator.close()

    def explain(self, error: BaseException) -> None:
        """Says more about an error, as far as `-v` asks for it."""
        if self.settings.verbosity == 1:
            warn(f"  {error}")
        elif self.settings.verbosity > 1:
            for line in "".join(traceback.format_exception(error)).splitlines():
                warn(line)

    def _open_uri(self, uri: str) -> Operator:
        scheme = urlsplit(uri).scheme
        values = {key: value for key, value in self.settings.values.items() if key.lower() in _keys(scheme)}
        self._unused -= values.keys()
        return self._opened(uri, uri, values)

    def _following(self, root: str) -> Operator:
        """The operator of a local directory whose links may lead anywhere."""
        from .following import FollowLinksLayer

        key = f"links in {root}"
        if key not in self._operators:
            operator = Operator.from_uri("fs:///").layer(FollowLinksLayer(root, self._target_of_links))
            self._operators[key] = self._with_limits(operator)
        return self._operators[key]

    def _open_remote(self, name: str) -> Operator | None:
        table = self._remotes.get(name)
        if table is None:
            return None
        uri = table.pop("uri")
        return self._opened(f"{name}:", uri, table)

    def _opened(self, key: str, uri: str, values: Mapping[str, Any]) -> Operator:
        if key not in self._operators:
            operator = Operator.from_uri(uri, resilient=self.settings.retries is None, **values)
            if self.guesses_types and operator.info.capability.write_with_content_type:
                operator = _guessing(operator)
            self._operators[key] = self._with_limits(operator)
        return self._operators[key]

    def _with_limits(self, operator: Operator) -> Operator:
        has_limits = self.settings.retries is not None or self.settings.bandwidth is not None
        return _limited(operator, self.settings) if has_limits else operator


def _failed_side(source: str, target: str, error: BaseException) -> str:
    """Which place of a copy has failed; both where the store made it, and only the store knows."""
    if isinstance(error, StorageFull):
        return target
    side = error.context.get("side") if isinstance(error, Error) else None
    return {"target": target, "source or target": f"{source} to {target}"}.get(str(side), source)


def _form_of(word: str) -> str:
    """The form of the URIs of the service that a word names; empty if it names none."""
    scheme, separator, _ = word.partition("://")
    try:
        return service_class(scheme.lower()).URI if separator else ""
    except ConfigInvalid:
        return ""


def _shown(word: str) -> str:
    try:
        return without_secrets(word)
    except ConfigInvalid:
        return word.partition("://")[0] + "://"  # which options are secret is unknown


def _guessing(operator: Operator) -> Operator:
    from entrepot.layers import MimeGuessLayer

    return operator.layer(MimeGuessLayer())


def _limited(operator: Operator, settings: Settings) -> Operator:
    """The operator with the layers that the settings ask for, the limit of bandwidth outermost."""
    from entrepot.layers import CapabilityOverrideLayer, RetryLayer, ThrottleLayer, TimeoutLayer

    if settings.retries is not None:
        operator = operator.layer(TimeoutLayer.default())
    if settings.retries:
        operator = operator.layer(RetryLayer(max_times=settings.retries))
    if settings.bandwidth is None:
        return operator
    if operator.info.scheme != "fs":
        return operator.layer(ThrottleLayer(bandwidth=settings.bandwidth))
    from .reading_limit import ReadingLimitLayer

    without_copy = operator.layer(CapabilityOverrideLayer(copy=False))  # which has no limit, and is made here too
    return without_copy.layer(ReadingLimitLayer(bandwidth=settings.bandwidth))


def _keys(scheme: str) -> frozenset[str]:
    """The keys of the configuration of a service, in lower case; none for the file system, which has only a root."""
    with suppress(ConfigInvalid):  # `from_uri` says what is wrong with the scheme
        service = service_class(scheme)
        known = fields(service)  # type: ignore[arg-type]
        return frozenset(
            key.lower() for field in known for key in service.keys(field.name, field.metadata.get("aliases", ()))
        )
    return frozenset()

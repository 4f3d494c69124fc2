"""Traces operations with OpenTelemetry."""

from __future__ import annotations

from contextvars import Token
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, AccessorInfo, Context, Layer, Operation, build_abs_path, build_rooted_abs_path
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.observation import Observation, ObservedAccessor
from entrepot.raw.telemetry import Telemetry
from entrepot.types.shown import shown

if TYPE_CHECKING:
    from opentelemetry.context import Context as TraceContext
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import Span, Tracer


class TracingLayer(Layer):
    """Makes a span for each operation, which lasts until its body is closed, and propagates its trace in requests.

    The span is the current span in each call of the operation and of its body, so the spans that these calls make are
    its children. A failure is an event of the span, and sets its status unless a retry of the call succeeds. The span
    of a body that is never closed does not end, and is not exported.

    Arguments:
        tracer: the tracer; None is the tracer `"entrepot"` of the global provider.
        propagator: writes the trace into headers; None is the W3C's (`traceparent`, `tracestate`).
        propagate: whether requests have trace headers. By default True.

    Raises:
        ConfigInvalid: `opentelemetry-api` is not installed.
        InvalidInput: an argument cannot work.
    """

    WORKS_WITHOUT_LOOP = True

    def __init__(
        self,
        tracer: Tracer | None = None,
        *,
        propagator: TextMapPropagator | None = None,
        propagate: bool = True,
    ) -> None:
        if tracer is not None and not hasattr(tracer, "start_span"):
            raise InvalidInput(f"tracer is a Tracer of OpenTelemetry, not {shown(tracer)}")
        if propagator is not None and not hasattr(propagator, "inject"):
            raise InvalidInput(f"propagator is a TextMapPropagator of OpenTelemetry, not {shown(propagator)}")
        if not isinstance(propagate, bool):
            raise InvalidInput(f"propagate must be True or False, not {shown(propagate)}")
        self._tracer = tracer
        self._propagator = propagator
        self._propagate = propagate
        _check_installed()

    def wrap_context(self, context: Context) -> Context:
        if not self._propagate:
            return context
        return context.around_http(partial(_Propagating, propagator=self._propagator or _w3c()))

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        from opentelemetry.trace import get_tracer

        spans = _Spans(accessor.info, context.telemetry, self._tracer or get_tracer("entrepot"))
        return ObservedAccessor(accessor, partial(_Traced, accessor, context, spans))


def _check_installed() -> None:
    try:
        import opentelemetry.trace  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ConfigInvalid("TracingLayer needs opentelemetry-api: pip install 'entrepot[tracing]'") from error


def _w3c() -> TextMapPropagator:
    """Propagates the trace alone: an application's baggage must not reach a storage."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()


class _Propagating(HttpTransport):
    """Adds the trace headers after all others."""

    def __init__(self, inner: HttpTransport, propagator: TextMapPropagator) -> None:
        self._inner = inner
        self._propagator = propagator

    async def send(self, request: HttpRequest) -> HttpResponse:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return await self._inner.send(
            request.with_headers([*request.headers, *carrier.items()]) if carrier else request
        )

    async def close(self) -> None:
        await self._inner.close()


class _Spans:
    """Makes the spans of one stack. It holds the parts of the API, which is imported when a stack is built."""

    def __init__(self, info: AccessorInfo, telemetry: Telemetry, tracer: Tracer) -> None:
        from opentelemetry import context, trace

        self.attach, self.detach = context.attach, context.detach
        self.around = trace.set_span_in_context
        self.error = trace.StatusCode.ERROR
        kind = trace.SpanKind.CLIENT if info.is_remote else trace.SpanKind.INTERNAL
        self._start = partial(tracer.start_span, kind=kind)
        self._info = info
        self._path_attribute = telemetry.path
        self._full_path = build_rooted_abs_path if telemetry.is_rooted else build_abs_path
        self._known = {"entrepot.scheme": str(info.scheme)} | ({"entrepot.namespace": info.name} if info.name else {})
        if telemetry.name:
            self._known[telemetry.name] = info.name

    def start(self, operation: Operation, path: str, target: str) -> Span:
        """A span of an operation. Its name has no path, because spans are grouped by name."""
        name = f"{operation.value} {self._info.name}" if self._info.name else operation.value
        attributes = self._known | {"entrepot.operation": operation.value} | self.place(path)
        if target:
            attributes["entrepot.target"] = _encodable(target)
        return self._start(name, attributes=attributes)

    def place(self, path: str) -> dict[str, str]:
        """The attributes for the path, by our name and by the semantic conventions."""
        if not path:
            return {}
        place = {"entrepot.path": _encodable(path)}
        if self._path_attribute:
            place[self._path_attribute] = _encodable(self._full_path(self._info.root, path))
        return place


def _encodable(path: str) -> str:
    """A path that exporters can encode as UTF-8; names of local files may have other bytes."""
    return path.encode("utf-8", "backslashreplace").decode()


class _Traced(Observation["Token[TraceContext]"]):
    def __init__(self, inner: Accessor, context: Context, spans: _Spans) -> None:
        super().__init__(inner, context)
        self._spans = spans
        self._is_fault = False

    def started(self) -> None:
        self._span = self._spans.start(self.operation, self.path, self.target)

    def entered(self) -> Token[TraceContext]:
        return self._spans.attach(self._spans.around(self._span))

    def left(self, token: Token[TraceContext]) -> None:
        self._spans.detach(token)

    def got_first_byte(self) -> None:
        self._span.add_event("first byte")

    def failed(self, call: Operation, path: str, error: BaseException) -> None:
        self._is_fault = isinstance(error, Exception)
        if isinstance(error, Exception):
            self._span.record_exception(error, {"entrepot.call": call.value})
        else:
            self._span.add_event("cancelled", {"entrepot.call": call.value})

    def ended(self) -> None:
        counts = {"entrepot.bytes": self.size, "entrepot.entries": self.entries}
        self._span.set_attributes({name: count for name, count in counts.items() if count})
        if self.operation is Operation.DELETE:
            self._span.set_attributes(self._spans.place(self.path))
        if self.failure is not None:
            self._span.set_attribute("error.type", self.failure)
            if self._is_fault:
                self._span.set_status(self._spans.error, self.failure)
        self._span.end()

"""The services over a transport that answers at once: what each call requests, and that executed code is counted."""

import sys

import pytest

from benchmarks.http_services import SERVICES, Prompt, calls_of, executed_by
from entrepot import Operator
from entrepot.raw import Context

REQUESTS = {
    "s3": {"read": ["GET"], "write": ["PUT"], "stat": ["HEAD"], "list": ["GET"]},
    "azblob": {"read": ["GET"], "write": ["PUT"], "stat": ["HEAD"], "list": ["GET"]},
    "azdls": {"read": ["GET"], "write": ["PUT", "PATCH", "PATCH", "HEAD", "PUT"], "stat": ["HEAD"], "list": ["GET"]},
    "gcs": {"read": ["GET"], "write": ["POST"], "stat": ["GET"], "list": ["GET"]},
    "webdav": {"read": ["GET"], "write": ["PROPFIND", "PUT", "MOVE"], "stat": ["PROPFIND"], "list": ["PROPFIND"]},
    "webhdfs": {"read": ["GET", "GET"], "write": ["GET", "PUT", "PUT", "PUT"], "stat": ["GET"], "list": ["GET"]},
    "hf": {"read": ["GET"], "write": ["POST", "POST"], "stat": ["POST"], "list": ["GET"]},
    "http": {"read": ["GET"], "stat": ["HEAD"]},
}


@pytest.mark.parametrize("name", SERVICES)
async def test_each_call_makes_its_requests_and_no_other(name: str) -> None:
    service = SERVICES[name]
    prompt = Prompt(service.answers)
    operator = Operator(service.config(), context=Context(http=prompt))
    made = {}
    for verb, call in calls_of(operator, service.lacks).items():
        prompt.requests.clear()
        await call()
        made[verb] = list(prompt.requests)
    assert made == REQUESTS[name]


async def test_executed_code_is_counted_and_the_tracer_before_is_back() -> None:
    service = SERVICES["http"]
    operator = Operator(service.config(), context=Context(http=Prompt(service.answers)))
    before = sys.gettrace()
    executed = await executed_by(calls_of(operator, service.lacks)["read"])
    assert sys.gettrace() is before
    assert executed.calls["facade/operator.py:Operator.read"] == 1
    assert executed.instructions["facade/operator.py:Operator.read"] > 5
    assert not any("http_services" in name for name in executed.calls)

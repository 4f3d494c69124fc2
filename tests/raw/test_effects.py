"""What the error of a call says about its effect."""

import pytest

from entrepot.errors import Error, NotFound, RateLimited, Unexpected
from entrepot.raw.effects import leaves_doubt, note_doubt


@pytest.mark.parametrize(
    ("error", "is_doubtful"),
    [
        pytest.param(Unexpected("", is_temporary=True), True, id="no response"),
        pytest.param(Unexpected("", is_temporary=True, context={"status": 500}), True, id="500"),
        pytest.param(Unexpected("", is_temporary=True, context={"status": 503}), True, id="503 of a proxy"),
        pytest.param(
            Unexpected("", is_temporary=True, context={"status": 503, "retry_after": 1.0}), False, id="503 for later"
        ),
        pytest.param(
            Unexpected("", is_temporary=True, context={"status": 503, "code": "ServiceUnavailable"}), False, id="code"
        ),
        pytest.param(
            Unexpected("", is_temporary=True, context={"status": 503, "code": "backendError"}), True, id="failure"
        ),
        pytest.param(Unexpected("", is_temporary=True, context={"status": 408}), False, id="408"),
        pytest.param(Unexpected("", is_temporary=True, context={"status": 499}), True, id="499"),
        pytest.param(RateLimited(""), False, id="rate"),
        pytest.param(NotFound(""), False, id="permanent"),
    ],
)
def test_only_a_temporary_error_without_a_refusal_leaves_doubt(error: Error, is_doubtful: bool) -> None:
    assert leaves_doubt(error) is is_doubtful
    assert note_doubt(error) is error
    assert error.context.get("may_have_taken_effect", False) is is_doubtful

"""What counts as a call to the engine."""

import pytest

from bench.engine_calls import EVENTS, call_in


@pytest.mark.parametrize(
    ("data", "call"),
    [
        (b"GET /v1.41/events?filters=%7B%7D HTTP/1.1\r\nHost: x\r\n", EVENTS),
        (b"POST /v1.41/containers/create?name=x HTTP/1.1\r\n\r\n{}", "POST /containers/create"),
        (b"GET /version HTTP/1.1\r\n\r\n", "GET /version"),
        (b'{"Image": "GET /version"}', None),
    ],
)
def test_a_call_is_its_method_and_path(data, call) -> None:
    assert call_in(data) == call

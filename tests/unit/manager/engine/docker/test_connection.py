"""Clients for a Docker Engine, and its errors in the contract's words."""

from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from docker import APIClient
from docker.errors import APIError, DockerException, NotFound

from air_executor.format.attempts import Cause
from manager.engine.contract import ContainerGone, EngineError, EngineUnavailable, Impossible
from manager.engine.docker.connection import API_VERSION, Connection, translated


def refusal(status: int, words: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError(str(status), response, words)


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (NotFound("404", explanation=" no such container: x \n"), ContainerGone, "^no such container: x$"),
        (APIError("500 Server Error"), EngineError, "500 Server Error"),
        (APIError("409", explanation="it is paused"), EngineError, "^it is paused$"),
        (refusal(400, "no CPUs"), Impossible, "^no CPUs$"),
        (refusal(403, "not with this proxy"), EngineError, "^not with this proxy$"),
        (refusal(500, "no space left"), EngineError, "^no space left$"),
        (requests.ConnectionError("refused"), EngineUnavailable, "does not answer: refused"),
        (requests.Timeout("too late"), EngineUnavailable, "does not answer: too late"),
        (urllib3.exceptions.ProtocolError("broken"), EngineUnavailable, "does not answer: broken"),
        (OSError("no such socket"), EngineUnavailable, "does not answer: no such socket"),
        (DockerException("no TLS here"), EngineUnavailable, "can't be used: no TLS here"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_clients_errors_are_the_contracts_by_their_class(
    raised: Exception, kind: type[EngineError], words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught, translated():
        raise raised
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("status", "cause"), [(400, Cause.BAD_INPUT), (409, Cause.ENGINE), (500, Cause.ENGINE)]
)
def test_what_the_engine_calls_a_bad_request_is_no_fault_of_the_engine(status: int, cause: Cause) -> None:
    with pytest.raises(EngineError) as caught, translated():
        raise refusal(status, "why")
    assert caught.value.cause is cause


def test_what_is_not_about_the_engine_stays_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("answer", "spoken"),
    [
        ({"MinAPIVersion": "1.24"}, API_VERSION),
        ({"MinAPIVersion": "1.44"}, "1.44"),
        ({}, API_VERSION),
    ],
    ids=["an old one", "a new one", "one that does not say"],
)
def test_the_oldest_version_is_spoken_that_the_engine_still_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: dict[str, str], spoken: str
) -> None:
    asked: list[APIClient] = []

    def version(client: APIClient, **_: Any) -> dict[str, str]:
        asked.append(client)
        return answer

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(APIClient, "version", version)
    connection = Connection(30)
    assert asked == []
    assert connection.api().api_version == spoken
    assert connection.api() is connection.api()
    patient = connection.api(3600)
    assert (patient.timeout, patient.api_version) == (3600, spoken)
    assert len(asked) == 1, "it is asked once"


@pytest.mark.parametrize(
    "content",
    ['{"auths": {"x.test": {"auth": "aHVudGVy"}}}', '{"auths": {"x.test": 5}}', '{"auths": 5}', "[1]"],
)
def test_a_configuration_of_dockers_that_is_none_is_told_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="DOCKER_CONFIG"), translated():
        Connection(30).api()

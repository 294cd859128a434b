"""The way to a Docker Engine: clients for its API, and its errors in the contract's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, InvalidConfigFile, NotFound
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env, version_lt

from manager.engine.contract import ContainerGone, EngineError, EngineUnavailable, Impossible

API_VERSION = "1.41"
"""Engine 20.10 and later: what Debian's oldest supported release ships."""
POOL_SIZE = 128
BAD_REQUEST = 400
"""By this status the engine says that what it was asked for is at fault, and not itself."""


BAD_CONFIG = (
    "Docker's configuration (config.json in the folder DOCKER_CONFIG, or in ~/.docker) is none; correct it, "
    "or name another folder"
)
"""docker-py reads it before it does anything."""


class Connection:
    """Clients for one engine, each made when it is needed first. Safe to use from several threads."""

    def __init__(self, timeout: float) -> None:
        """Nothing is asked of the engine yet. `timeout`: seconds of silence in a usual call."""
        self._timeout = timeout
        self._clients: dict[float, docker.APIClient] = {}
        self._version: str | None = None

    def api(self, silence: float | None = None) -> docker.APIClient:
        """The client for calls during which the engine may say nothing for `silence` seconds."""
        seconds = self._timeout if silence is None else silence
        client = self._clients.get(seconds)
        if client is None:
            client = self._clients.setdefault(seconds, _client(seconds, self._api_version()))
        return client

    def _api_version(self) -> str:
        """The oldest that we know how to speak and the engine still does: new engines drop what is old."""
        if self._version is None:
            asking = _client(self._timeout, API_VERSION)
            oldest = str(asking.version(api_version=False).get("MinAPIVersion", API_VERSION))
            self._version = oldest if version_lt(API_VERSION, oldest) else API_VERSION
        return self._version


@contextmanager
def translated() -> Iterator[None]:
    """From the client's exceptions to the contract's, by status and class, never by text."""
    try:
        yield
    except NotFound as error:
        raise ContainerGone(sentence(error)) from None
    except APIError as error:
        kind = Impossible if error.status_code == BAD_REQUEST else EngineError
        raise kind(sentence(error)) from None
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineUnavailable(f"the container engine does not answer: {error}") from None
    except DockerException as error:
        raise EngineUnavailable(f"the container engine can't be used: {error}") from None


def sentence(error: APIError) -> str:
    """What the engine says about its refusal."""
    return str(error.explanation or error).strip()


class _OnePool(UnixHTTPAdapter):
    """Keeps its connections for all calls; docker-py's own has a pool for each container's URL."""

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        return super().get_connection("any", proxies)


class _Api(docker.APIClient):
    """Without what docker-py and requests do at each call and what is never of use here."""

    def _check_is_tty(self, container: str) -> bool:
        """No container of ours has a terminal."""
        return False

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Silence has an end in every call: docker-py waits for ever for what is said of a pull."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.timeout
        return kwargs

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """No cookies, no passwords, no hooks: only the headers are the session's as well."""
        prepared = requests.PreparedRequest()
        headers = {**self.headers, **request.headers}
        prepared.prepare(request.method, request.url, headers, data=request.data, params=request.params)
        return prepared


def _client(timeout: float, version: str) -> docker.APIClient:
    """A client; the engine is not asked for anything."""
    options = kwargs_from_env()
    try:
        client = _Api(version=version, timeout=int(timeout), max_pool_size=POOL_SIZE, **options)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidConfigFile):  # it may quote a password
        raise DockerException(BAD_CONFIG) from None
    client.trust_env = False  # at each call it would look for proxies, which a socket has not
    own = client.get_adapter(client.base_url)
    if isinstance(own, UnixHTTPAdapter):
        client.mount(client.base_url, _OnePool(own.socket_path, int(timeout), 1, POOL_SIZE))
    return client

"""What is found in Docker's configuration, and that nothing of it is told."""

import base64
import json
from pathlib import Path

import pytest

from manager.engine.docker.logins import Logins

SECRET = "hunter2-of-the-test"
AUTH = base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("registry.test:5000", "registry.test:5000"),
        ("https://registry.test/v2/", "registry.test"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_registry_is_found_by_its_host(file: Path, key: str, registry: str) -> None:
    file.write_text(json.dumps({"auths": {key: {"auth": AUTH}}}))
    assert Logins(file).of(registry).words["password"] == SECRET
    assert Logins(file.parent).of(registry).words["username"] == "me"


@pytest.mark.parametrize("registry", ["registry.test", "evil.registry.test:5000", "registry.test:5001"])
def test_no_other_registry_is_told(file: Path, registry: str) -> None:
    file.write_text(json.dumps({"auths": {"registry.test:5000": {"auth": AUTH}}}))
    assert Logins(file).of(registry).words == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{",
        "\ufeff\x00",
        '{"auths": 5}',
        '{"auths": {"registry.test": 5}}',
        '{"auths": {"registry.test": {"auth": 5}}}',
        '{"auths": {"registry.test": {"auth": "' + SECRET + '"}}}',
        '{"auths": {"registry.test": {"auth": "' + base64.b64encode(SECRET.encode()).decode() + '"}}}',
        '{"credHelpers": 5}',
        '{"credHelpers": ["x"]}',
        '{"credsStore": {"a": "b"}}',
        '{"credsStore": "../../bin/sh"}',
        '{"x": "' + "x" * (2 << 20) + '"}',
    ],
)
def test_what_is_no_configuration_is_no_log_in_and_says_so_without_quoting_it(
    file: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(content)
    found = Logins(file).of("registry.test")
    assert found.words == {}
    assert "docker login registry.test" in found.remark
    assert SECRET not in f"{found.remark}{found!r}{caplog.text}"


def test_nothing_shows_the_password(file: Path) -> None:
    file.write_text(json.dumps({"auths": {"registry.test": {"auth": AUTH}}}))
    found = Logins(file).of("registry.test")
    assert SECRET not in f"{found}{found!r}{found.remark}"


def test_a_file_that_is_not_there_is_no_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "in " in Logins(tmp_path / "none").of("registry.test").remark
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Logins(None).of("registry.test").words == {}


def test_docker_config_is_where_dockers_programs_look(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(json.dumps({"auths": {"registry.test": {"auth": AUTH}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(file.parent))
    assert Logins(None).of("registry.test").words["password"] == SECRET


def test_a_file_that_can_not_be_read_says_so(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "can't be read by the manager" in Logins(loop).of("registry.test").remark

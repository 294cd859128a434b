"""Images of a registry that wants a password: Docker's own, with what `docker login` would have written."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manager.engine.connect import connect
from manager.engine.contract import ImageMissing
from manager.model.home import Home
from manager.settings import Settings
from tests import engine_room
from tests.contract.bench import Bench
from tests.password_registry import PASSWORD, USER, PasswordRegistry, password_registry
from tests.real_manager import docker

HELPER = """#!/bin/sh
read -r host
echo '{{"ServerURL": "", "Username": "{user}", "Secret": "{password}"}}'
"""


@pytest.fixture(scope="module")
def registry(docker_client: Any, bare_image: str) -> Iterator[PasswordRegistry]:
    with password_registry() as made:
        made.push(docker_client, bare_image)
        yield made


@pytest.fixture
def config(tmp_path: Path, registry: PasswordRegistry) -> Iterator[Path]:
    yield tmp_path / "config.json"
    docker("image", "rm", "--force", registry.image)


Connect = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path, settings: Settings, docker_client: Any, config: Path) -> Iterator[Bench]:
    home = Home(engine_room.fresh_home_id(), tmp_path)
    rules = {"pull": True, "registries": ("127.0.0.1:*",), "docker_config": config}
    pulling = settings.model_copy(update=rules)
    made = Bench(connect(pulling), home, tmp_path / "job", pulling)
    made.prepare()
    yield made
    engine_room.sweep(docker_client, home.id)


def write(config: Path, content: object) -> None:
    config.write_text(json.dumps(content))


def test_with_the_log_in_of_the_operator_an_image_is_pulled_and_its_digest_known(
    bench: Bench, config: Path, registry: PasswordRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    write(config, registry.config())
    made = bench.create(image=registry.image)
    assert made.image_id is not None
    facts = bench.engine.image_facts(made.image_id)
    assert facts is not None
    name, _, digest = (facts.digest_of(registry.image) or "").partition("@")
    assert (name, digest[:7]) == (registry.image.rpartition(":")[0], "sha256:")
    assert PASSWORD not in caplog.text
    assert PASSWORD not in docker("inspect", made.id)


@pytest.mark.parametrize("content", ["none", "wrong", "other", "nonsense", "null"])
def test_without_it_the_refusal_says_log_in_where_and_nothing_of_the_password(
    bench: Bench, config: Path, registry: PasswordRegistry, content: str
) -> None:
    match content:
        case "wrong":
            write(config, registry.config(password=f"not-{PASSWORD}"))
        case "other":
            write(config, {"auths": {"elsewhere.test": registry.config()["auths"][registry.host]}})
        case "nonsense":
            write(config, {"auths": {registry.host: {"auth": f"{PASSWORD}!"}}})
        case "null":
            config.write_text("null")
    with pytest.raises(ImageMissing, match=f"`docker login {registry.host}`") as caught:
        bench.engine.fetch(registry.image)
    assert PASSWORD not in str(caught.value)


def test_who_logs_in_need_not_start_the_manager_again(
    bench: Bench, config: Path, registry: PasswordRegistry
) -> None:
    with pytest.raises(ImageMissing):
        bench.engine.fetch(registry.image)
    write(config, registry.config())
    bench.engine.fetch(registry.image)
    assert bench.engine.image_id(registry.image) is not None


@pytest.mark.parametrize("word", ["credsStore", "credHelpers"])
def test_a_program_that_keeps_the_password_is_asked(
    bench: Bench,
    config: Path,
    registry: PasswordRegistry,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    program = tmp_path / "docker-credential-airx-test"
    program.write_text(HELPER.format(user=USER, password=PASSWORD))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    write(config, {word: "airx-test" if word == "credsStore" else {registry.host: "airx-test"}})
    bench.engine.fetch(registry.image)


def test_where_that_program_is_missing_what_stands_in_auths_does(
    bench: Bench, config: Path, registry: PasswordRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    write(config, {"credsStore": "nobody-has-it", **registry.config()})
    bench.engine.fetch(registry.image)
    assert "docker-credential-nobody-has-it" in caplog.text
    assert PASSWORD not in caplog.text

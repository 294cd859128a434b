"""Which settings reach which service."""

from pathlib import Path
from typing import Any

import pytest
import yaml

FILES = Path(__file__).parents[3] / "compose"


class Loader(yaml.SafeLoader):
    """Knows that Compose has tags of its own, and not what they do."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_sequence(node))


def service(file: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((FILES / file).read_text(), Loader)["services"][name]
    return found


def test_what_the_engine_proxy_is_told_the_manager_is_told_too() -> None:
    def own(variables: dict[str, Any]) -> set[str]:
        return {name for name in variables if name.startswith("AIR_EXECUTOR_")}

    proxy = service("engine-proxy.yaml", "engine-proxy")["environment"]
    assert own(proxy) <= own(service("manager.yaml", "manager")["environment"])


@pytest.mark.parametrize("file", ["secrets.yaml", "registry-login.yaml"])
def test_what_is_secret_is_read_by_the_manager_alone_and_not_written(file: str) -> None:
    services = yaml.safe_load((FILES / file).read_text())["services"]
    assert list(services) == ["manager"]
    assert all(mount["read_only"] for mount in services["manager"]["volumes"])

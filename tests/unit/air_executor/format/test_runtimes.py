"""Runtimes, as they are asked for."""

import pytest

from air_executor.format.runtimes import check_runtime


@pytest.mark.parametrize("name", ["runsc", "kata-fc", "io.containerd.runc.v2", "default"])
def test_names_that_engines_have(name: str) -> None:
    assert check_runtime(name) == name


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "a" * 65, "a\n"])
def test_names_that_none_has(name: str) -> None:
    with pytest.raises(ValueError, match="must be the name of a runtime"):
        check_runtime(name)

"""One stack for all tests here; what its containers said is added to the report of a test that fails."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import REPOSITORY, Stack, docker, free_port

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

_running: list[Stack] = []


def _need_engine_and_images() -> None:
    why = ""
    if "Server" not in docker("version"):
        why = "no Docker Engine answers"
    elif "No such image" in docker("image", "inspect", "air-executor-airflow:latest"):
        why = "the images are not built"
    if why and os.environ.get("CI"):
        pytest.fail(f"{why}: run `make setup`")
    elif why:
        pytest.skip(f"{why}: `make setup` puts that right")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, up and healthy; afterwards `make down`, and nothing may be left."""
    _need_engine_and_images()
    folder = tmp_path_factory.mktemp("stack")
    (folder / "home").mkdir()
    running = Stack(
        context=str(REPOSITORY),
        wait=True,
        project=f"air-executor-test-{secrets.token_hex(4)}",
        home=folder / "home",
        port=free_port(),
        dags=_dags(folder),
    )
    _running.append(running)
    try:
        running.start()
        yield running
    finally:
        running.take_down()
        left = running.leftovers()
        _running.remove(running)
    assert left == [], "make down left something behind"


def _dags(folder: Path) -> Path:
    """The project's DAGs, and the tests' own beside them."""
    dags = folder / "dags"
    dags.mkdir()
    for file in [*(REPOSITORY / "dags").glob("*.py"), *(Path(__file__).parent / "dags").glob("*.py")]:
        (dags / file.name).write_bytes(file.read_bytes())
    return dags


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and _running:
        report.sections.append(("the stack", _running[-1].diagnosis()))
    return report

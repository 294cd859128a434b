"""For all tests: which examples hypothesis draws; a failing test tells what manager and containers said."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.examples import register_profiles

register_profiles()

Witness = Callable[[], str]
WITNESSES = pytest.StashKey[list[tuple[str, Witness]]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Ask the witnesses while they can still speak, before fixtures are torn down."""
    report = yield
    if report.failed:
        for title, witness in item.stash.get(WITNESSES, []):
            try:
                report.sections.append((title, witness()))
            except Exception as error:  # a witness that can't speak must not hide the failure
                report.sections.append((title, f"could not be asked: {error!r}"))
    return report


@pytest.fixture
def on_failure(request: pytest.FixtureRequest) -> Callable[[str, Witness], None]:
    """`on_failure(title, witness)`: when this test fails, print what `witness()` says."""

    def register(title: str, witness: Witness) -> None:
        request.node.stash.setdefault(WITNESSES, []).append((title, witness))

    return register

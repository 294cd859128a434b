"""For tests of a whole manager: an engine with programs that do what they need."""

from collections.abc import Iterator

import pytest

from tests.fakes.engine import FakeEngine, Program

PROGRAMS = {
    ("short",): Program(seconds=0.05),
    ("long",): Program(seconds=None),
    ("stubborn",): Program(seconds=None, ignores_term=True),
    ("three",): Program(exit_code=3),
    ("hog",): Program(exit_code=137, oom=True),
    ("nothing",): Program(unusable="there is no command 'nothing' in the image"),
    ("nowhere",): Program(start_fails="there is no command 'nowhere' in the image"),
}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine(PROGRAMS)
    yield made
    made.check()

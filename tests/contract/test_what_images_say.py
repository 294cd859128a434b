"""What an image says of itself, and containers that leave to it what is executed; on any engine."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from manager.engine.contract import CommandUnusable, ImageMissing, Status
from manager.model.image_facts import ImageFacts
from tests import engine_room
from tests.contract.bench import FOREVER, Bench
from tests.fakes.engine import FakeEngine, Program
from tests.waiting import until

ECHO = ImageFacts(entrypoint=("echo", "entry"), command=("usual",), stop_signal="SIGUSR1")
CODE = 128 + 10


@pytest.fixture(scope="session")
def speaking_image(docker_client: Any) -> Iterator[str]:
    said = ('ENTRYPOINT ["echo", "entry"]', 'CMD ["usual"]', "STOPSIGNAL USR1")
    with engine_room.runner_image_with(docker_client, *said) as image:
        yield image


@pytest.fixture
def image(bench: Bench, request: pytest.FixtureRequest) -> str:
    """One that says what ECHO is."""
    if not isinstance(bench.engine, FakeEngine):
        found: str = request.getfixturevalue("speaking_image")
        return found
    bench.engine.images.add("speaking:1")
    bench.engine.facts_of["sha256:speaking:1"] = ECHO
    bench.engine.programs |= {("echo", "entry", "x", "y"): Program(output=b"entry x y\n")}
    return "speaking:1"


def test_what_an_image_says_of_itself_is_known_by_its_id(bench: Bench, image: str) -> None:
    found = bench.engine.image_facts(bench.engine.image_id(image) or "")
    assert found == ECHO


def test_of_an_image_that_is_not_here_nothing_is_known(bench: Bench) -> None:
    assert bench.engine.image_facts("sha256:" + "0" * 64) is None


@pytest.mark.parametrize(("own", "said"), [((), b"entry usual\n"), (("x", "y"), b"entry x y\n")])
def test_the_images_entry_point_is_executed_and_its_command_where_there_are_no_words(
    bench: Bench, image: str, own: tuple[str, ...], said: bytes
) -> None:
    spec = replace(bench.spec(image=image), command=own, runs_the_images=True)
    made = bench.engine.start(bench.engine.create(spec, None))
    bench.engine.wait(made.id)
    assert (bench.engine.observe(made.id).exit_code, bench.output(made.id)) == (0, said)


def test_own_words_are_executed_whatever_the_image_says(bench: Bench, image: str) -> None:
    made = bench.ended(("echo", "alone"), image=image)
    assert bench.output(made.id) == b"alone\n"


def test_an_image_that_says_nothing_can_not_be_left_what_is_executed(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    name = "silent:1"
    if isinstance(bench.engine, FakeEngine):
        bench.engine.images.add(name)
    else:
        name = request.getfixturevalue("bare_image")
    with pytest.raises(CommandUnusable, match="no ENTRYPOINT and no CMD"):
        bench.engine.create(replace(bench.spec(image=name), command=(), runs_the_images=True), None)


def test_a_command_gets_the_signal_that_its_image_declares(bench: Bench, image: str) -> None:
    made = bench.run(FOREVER, image=image)
    bench.until_it_says(made.id, b"begun")
    bench.engine.signal(made.id, ECHO.stop_signal)
    bench.engine.wait(made.id)
    assert bench.engine.observe(made.id).exit_code == CODE


@pytest.mark.parametrize("signal", ["SIGRTMIN+3", "SIGRTMIN", "SIGUSR1", "SIGQUIT"])
def test_behind_a_gate_as_well(docker_bench: Bench, signal: str) -> None:
    made = docker_bench.opened(FOREVER)
    docker_bench.until_it_says(made.id, b"begun")
    docker_bench.engine.signal(made.id, signal)
    until(lambda: docker_bench.status(made.id) is Status.EXITED, 20)


def test_what_no_registry_gives_is_not_renewed(bench: Bench) -> None:
    with pytest.raises(ImageMissing):
        bench.engine.renew("nobody-has-it:1")

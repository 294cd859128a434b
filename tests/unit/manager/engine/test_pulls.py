"""What the log and `air-executor status` say about images that are being fetched."""

import logging
from dataclasses import replace

import pytest

from manager.engine.contract import Pull
from manager.engine.pulls import Pulls

ASKED = Pull("alpine:3", seconds=0, layers=0, layers_done=0, bytes=0, bytes_done=0)
MIDST = Pull("alpine:3", seconds=6, layers=7, layers_done=3, bytes=80_400_000, bytes_done=12_300_000)


@pytest.fixture
def pulls(caplog: pytest.LogCaptureFixture) -> Pulls:
    caplog.set_level(logging.INFO)
    return Pulls()


def test_nothing_is_told_while_nothing_is_pulled(pulls: Pulls) -> None:
    assert pulls.texts() == ()


def test_each_image_has_its_own_words(pulls: Pulls) -> None:
    pulls.tell(ASKED)
    pulls.tell(replace(MIDST, image="debian"))
    assert pulls.texts() == ("alpine:3: nothing yet", "debian: 3 of 7 layers, 12 of 80 MB")
    pulls.tell(MIDST)
    assert pulls.texts()[0] == "alpine:3: 3 of 7 layers, 12 of 80 MB"
    pulls.tell(replace(MIDST, ended=True))
    assert pulls.texts() == ("debian: 3 of 7 layers, 12 of 80 MB",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bytes": 0, "bytes_done": 0}, "3 of 7 layers"),
        ({"bytes": 2_500_000, "bytes_done": 40_000}, "3 of 7 layers, 0.0 of 2.5 MB"),
        ({"bytes": 12_000_000, "bytes_done": 9_100_000}, "3 of 7 layers, 9.1 of 12 MB"),
        ({"bytes": 3_000_000_000, "bytes_done": 20_000_000}, "3 of 7 layers, 20 of 3000 MB"),
    ],
)
def test_sizes_are_short_and_those_of_small_images_tell_something(
    pulls: Pulls, change: dict[str, int], words: str
) -> None:
    pulls.tell(replace(MIDST, **change))  # type: ignore[arg-type]
    assert pulls.texts() == (f"alpine:3: {words}",)


def test_the_log_has_a_line_at_the_beginning_one_every_five_seconds_and_one_at_the_end(
    pulls: Pulls, caplog: pytest.LogCaptureFixture
) -> None:
    pulls.tell(ASKED)
    for second in range(1, 13):
        pulls.tell(replace(MIDST, seconds=second, bytes_done=second * 1_000_000))
    pulls.tell(replace(MIDST, seconds=12.34, layers_done=7, bytes_done=MIDST.bytes, ended=True))
    assert caplog.messages == [
        "image=alpine:3 pulling: nothing yet",
        "image=alpine:3 pulling: 3 of 7 layers, 5.0 of 80 MB",
        "image=alpine:3 pulling: 3 of 7 layers, 10 of 80 MB",
        "image=alpine:3 pulled in 12.3 s: 7 of 7 layers, 80 of 80 MB",
    ]


def test_the_log_says_why_an_image_was_not_pulled(pulls: Pulls, caplog: pytest.LogCaptureFixture) -> None:
    pulls.tell(replace(MIDST, ended=True, problem="manifest unknown"))
    assert caplog.messages == ["image=alpine:3 not pulled after 6.0 s: manifest unknown"]
    assert caplog.records[0].levelno == logging.WARNING


def test_the_words_of_a_registry_can_not_pass_for_a_line_of_the_log(
    pulls: Pulls, caplog: pytest.LogCaptureFixture
) -> None:
    pulls.tell(replace(MIDST, ended=True, problem="denied\n2026-01-01T00:00:00Z INFO \x1b[2Jall is well"))
    (line,) = caplog.messages
    assert "\n" not in line and "\x1b" not in line


def test_an_image_that_is_pulled_again_has_its_first_line_again(
    pulls: Pulls, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        pulls.tell(ASKED)
        pulls.tell(replace(MIDST, seconds=1, ended=True))
    assert caplog.messages.count("image=alpine:3 pulling: nothing yet") == 2

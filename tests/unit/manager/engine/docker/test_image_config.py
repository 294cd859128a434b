"""What is read of an image's inspection, however strange the image is."""

from typing import Any

import pytest

from manager.engine.docker.image_config import MOST_DIGESTS, image_facts
from manager.model.image_facts import ImageFacts


def test_what_an_image_says_of_itself() -> None:
    config = {"Entrypoint": ["a"], "Cmd": ["b", "c"], "StopSignal": "SIGQUIT"}
    assert image_facts({"Config": config, "RepoDigests": ["debian@sha256:1"]}) == ImageFacts(
        digests=("debian@sha256:1",), entrypoint=("a",), command=("b", "c"), stop_signal="SIGQUIT"
    )


@pytest.mark.parametrize("data", [{}, {"Config": None}, {"Config": {"Entrypoint": None, "Cmd": None}}])
def test_an_image_that_says_nothing(data: dict[str, Any]) -> None:
    assert image_facts(data) == ImageFacts()


@pytest.mark.parametrize(
    ("config", "flaw"),
    [
        ({"Entrypoint": "sh -c"}, "no list"),
        ({"Entrypoint": {"a": 1}}, "no list"),
        ({"Cmd": ["a", 5]}, "no list"),
        ({"Cmd": ["a\0b"]}, "no command can have"),
        ({"Cmd": ["a\ud800"]}, "no command can have"),
        ({"Cmd": ["x" * 70_000]}, "65,536 are the most"),
        ({"Entrypoint": [""] * 70_000}, "65,536 are the most"),
    ],
)
def test_words_that_are_none_are_a_flaw_and_are_not_kept(config: dict[str, Any], flaw: str) -> None:
    found = image_facts({"Config": config})
    assert flaw in (found.flaw or "")
    assert (found.entrypoint, found.command) == ((), ())


@pytest.mark.parametrize("signal", [5, ["SIGINT"], "SIGINT\n; rm -rf /", "x" * 100_000])
def test_a_stop_signal_that_is_none_is_the_usual_one(signal: Any) -> None:
    assert image_facts({"Config": {"StopSignal": signal}}).stop_signal in ("SIGTERM", "SIGTRAP")


def test_digests_are_bounded() -> None:
    found = image_facts({"RepoDigests": ["x" * 10_000, 7, *(f"a{n}@sha256:1" for n in range(1000))]})
    assert len(found.digests) == MOST_DIGESTS

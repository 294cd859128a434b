"""An image is asked for before a container is made of it: on the fake and on the real engine."""

import pytest

from manager.engine.contract import ImageMissing
from tests.contract.bench import Bench


def test_what_is_here_is_fetched_at_once(bench: Bench) -> None:
    bench.engine.fetch(bench.settings.runner_image)


def test_what_can_t_be_had_is_missing(bench: Bench) -> None:
    with pytest.raises(ImageMissing, match="there is no image 'nobody/has:this' here"):
        bench.engine.fetch("nobody/has:this")


def test_to_stop_what_nobody_fetches_is_nothing(bench: Bench) -> None:
    bench.engine.stop_fetching("nobody/has:this")
    bench.engine.fetch(bench.settings.runner_image)

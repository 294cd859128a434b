"""What the proxy knows to be declared."""

import pytest

from engine_proxy.mounts import Mounts
from engine_proxy.refusal import Refused

MOUNTS = Mounts.parse(
    '{"d": {"path": "/srv/d/"}, "o": {"path": "/srv/o", "read_only": false}, "v": {"volume": "vol"}}'
)


def test_what_is_declared_may_be_mounted_as_it_is_declared() -> None:
    MOUNTS.check_path("/srv/d", read_only=True)
    MOUNTS.check_path("/srv/o", read_only=False)
    MOUNTS.check_volume("vol", read_only=True)


@pytest.mark.parametrize("source", ["/srv", "/srv/d/x", "/srv/d/../..", "/", "vol", ""])
def test_what_is_not_declared_in_that_very_spelling_is_refused(source: str) -> None:
    with pytest.raises(Refused, match="AIR_EXECUTOR_MOUNTS"):
        MOUNTS.check_path(source, read_only=True)


def test_what_is_declared_to_be_read_is_not_written_to() -> None:
    with pytest.raises(Refused, match="to be read"):
        MOUNTS.check_path("/srv/d", read_only=False)
    with pytest.raises(Refused, match="to be read"):
        MOUNTS.check_volume("vol", read_only=False)


def test_without_a_word_nothing_is_declared() -> None:
    with pytest.raises(Refused):
        Mounts.parse("").check_volume("vol", read_only=True)

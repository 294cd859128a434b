"""When the engine did not answer."""

from manager.engine.outages import Outages
from tests.unit.manager.builders import at


def test_what_ended_when_the_engine_was_about_to_go_was_away_or_had_just_come_back_is_covered() -> None:
    outages = Outages()
    outages.begin(at(100))
    outages.begin(at(105))
    outages.end(at(130))
    assert [outages.cover(at(moment)) for moment in (80, 86, 100, 120, 134, 136)] == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]


def test_an_absence_that_goes_on_covers_what_ends_meanwhile() -> None:
    outages = Outages()
    outages.begin(at(100))
    assert outages.cover(at(1000))
    assert not outages.cover(at(80))


def test_an_engine_that_always_answers_covers_nothing() -> None:
    outages = Outages()
    outages.end(at(1))
    assert not outages.cover(at(1))

"""When the engine did not answer."""

from manager.engine.outages import Absences
from tests.unit.manager.builders import at


def test_what_ended_when_the_engine_was_about_to_go_was_away_or_had_just_come_back_is_covered() -> None:
    absences = Absences()
    absences.begin(at(100))
    absences.begin(at(105))
    absences.end(at(130))
    assert [absences.cover(at(moment)) for moment in (80, 86, 100, 120, 134, 136)] == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]


def test_an_absence_that_goes_on_covers_what_ends_meanwhile() -> None:
    absences = Absences()
    absences.begin(at(100))
    assert absences.cover(at(1000))
    assert not absences.cover(at(80))


def test_an_engine_that_always_answers_covers_nothing() -> None:
    absences = Absences()
    absences.end(at(1))
    assert not absences.cover(at(1))

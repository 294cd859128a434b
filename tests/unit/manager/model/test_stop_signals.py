"""Signals as images declare them."""

import pytest

from manager.model.stop_signals import number_of, stop_signal


@pytest.mark.parametrize(
    ("declared", "name", "number"),
    [
        ("", "SIGTERM", 15),
        ("SIGINT", "SIGINT", 2),
        ("int", "SIGINT", 2),
        ("3", "SIGQUIT", 3),
        ("9", "SIGKILL", 9),
        ("SIGRTMIN+3", "SIGRTMIN+3", 37),
        ("RTMIN", "SIGRTMIN", 34),
        ("37", "SIGRTMIN+3", 37),
        ("SIGRTMAX-1", "SIGRTMIN+29", 63),
        ("RTMAX", "SIGRTMIN+30", 64),
    ],
)
def test_each_has_one_name_here(declared: str, name: str, number: int) -> None:
    assert stop_signal(declared) == name
    assert number_of(name) == number


@pytest.mark.parametrize(
    "declared",
    [
        "0",
        "65",
        "-1",
        "999999999",
        "SIGNOTHING",
        "RTMIN+31",
        "RTMIN-1",
        "RTMAX+1",
        "32",
        "\x00",
        "٣",
        "TERM;rm",
    ],
)
def test_what_is_none_is_the_usual_one(declared: str) -> None:
    assert stop_signal(declared) == "SIGTERM"

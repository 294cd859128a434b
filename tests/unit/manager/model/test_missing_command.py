"""What is said of a command that is not there."""

import pytest

from manager.model import missing_command


@pytest.mark.parametrize("command", ["tool", "./tool", " ", ""])
def test_one_word_is_named(command: str) -> None:
    assert missing_command.told(command, " here") == f"there is no command {command!r} here"


@pytest.mark.parametrize("command", ["echo hello world", "a\tb", "a | b"])
def test_of_several_it_is_said_where_they_go(command: str) -> None:
    said = missing_command.told(command, " here")
    assert said.startswith(f"there is no command {command!r} here; arguments go into `args`")

"""queue-task is plain sh, so what it writes is checked against a real JSON parser."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examples import fewer

SCRIPT = Path(__file__).parents[3] / "runner_image" / "queue-task"
# The image's sh is dash; bash and busybox stand for other images, where they are at hand.
SHELLS = [
    shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])
] or [["sh"]]

# Whatever an argument of a program can hold: all but NUL.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@dataclass
class Inbox:
    path: Path
    shell: list[str]

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {
            "PATH": os.environ["PATH"],
            "AIR_EXECUTOR_INBOX": str(self.path),
            "AIR_EXECUTOR_TASK": "parent",
            **environment,
        }
        return subprocess.run(
            [*self.shell, str(SCRIPT), *arguments],
            env=variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def queue(self, *arguments: str) -> dict[str, Any]:
        """Run it, and take the one request that it has written."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        [file] = (self.path / "new").iterdir()
        request: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        file.unlink()
        assert not list((self.path / "tmp").iterdir())
        assert done.stdout == request["id"] + "\n"
        return request


@pytest.fixture(params=SHELLS, ids=" ".join)
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Inbox:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "new").mkdir()
    return Inbox(tmp_path, request.param)


def test_a_plain_request_has_an_id_made_from_the_calling_task(inbox: Inbox) -> None:
    request = inbox.queue("--", "echo", "hello", "world")
    assert re.fullmatch(r"parent-[0-9a-f]{8}", request.pop("id"))
    assert request == {"command": "echo", "args": ["hello", "world"], "dependencies": []}


def test_every_option_has_its_place_in_the_request(inbox: Inbox) -> None:
    request = inbox.queue(
        *("--id", "report", "--after", "a", "--after", "b", "--image", "alpine:3", "--timeout", "2.5"),
        *("--env", "A=1", "--env", "B=x=y", "--env", "EMPTY=", "--", "python3", "-c", "print(1)", "--id"),
    )
    assert request == {
        "id": "report",
        "command": "python3",
        "args": ["-c", "print(1)", "--id"],
        "dependencies": ["a", "b"],
        "image": "alpine:3",
        "env": {"A": "1", "B": "x=y", "EMPTY": ""},
        "timeout": 2.5,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        " leading and trailing ",
        "\n",
        "\n\n",
        "one\n",
        "one\ntwo\n\n\n",
        "\n.\n",
        'say "hi"',
        r"back\slash",
        "\\",
        "\\n is not a line end",
        '\\"',
        "tab\there",
        "cr\r\n",
        "&",
        "\\&",
        "/",
        "%s %d %%",
        "$HOME `id` $(id) ${x}",
        "'",
        "*",
        "[a-z]*",
        "-n",
        "-e",
        "--",
        "ünïcödé ☃ 🎉 中文",
        "\x7f",
        "\u2028",
        "x" * 5_000,
    ],
)
def test_odd_text_arrives_as_it_was(inbox: Inbox, text: str) -> None:
    request = inbox.queue("--env", f"A={text}", "--", "printf", text, text)
    assert request["args"] == [text, text]
    assert request["env"] == {"A": text}


def test_every_control_character_arrives_as_it_was(inbox: Inbox) -> None:
    texts = [f"<{chr(code)}>" for code in range(1, 32)] + ["".join(map(chr, range(1, 32)))]
    assert inbox.queue("--", "true", *texts)["args"] == texts


# The plugin suppresses the second of these itself, but only after the first shell. From then on it draws
# otherwise, so that examples would depend on whether the same process ran the other shell before.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


@settings(fewer(25), suppress_health_check=[*SHARED, HealthCheck.too_slow])
@example(command="a", arguments=["\n", "", "\\\n"])
@given(command=TEXT.filter(bool), arguments=st.lists(TEXT, max_size=4))
def test_any_text_arrives_as_it_was(inbox: Inbox, command: str, arguments: list[str]) -> None:
    request = inbox.queue("--", command, *arguments)
    assert (request["command"], request["args"]) == (command, arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Which command?"),
        (["--"], "Which command?"),
        (["--", ""], "is empty"),
        (["echo", "hello"], "Put -- before the command"),
        (["--bogus", "--", "true"], "no option '--bogus'"),
        (["--id"], "--id needs a value"),
        (["--id", "", "--", "true"], "--id needs a value"),
        (["--after"], "--after needs a value"),
        (["--after", "", "--", "true"], "--after needs"),
        (["--image", "", "--", "true"], "--image needs"),
        (["--env", "NAME", "--", "true"], "NAME=VALUE"),
        (["--env", "=x", "--", "true"], "NAME=VALUE"),
        (["--timeout", "soon", "--", "true"], "number of seconds"),
        (["--timeout", "0", "--", "true"], "number of seconds"),
        (["--timeout", "-1", "--", "true"], "number of seconds"),
        (["--timeout", "05", "--", "true"], "number of seconds"),
        (["--timeout", "1.", "--", "true"], "number of seconds"),
        (["--timeout", "5\n6", "--", "true"], "number of seconds"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence_and_queues_nothing(
    inbox: Inbox, arguments: list[str], says: str
) -> None:
    done = inbox.run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""
    assert not list(inbox.path.glob("*/*"))


def test_help_explains_itself(inbox: Inbox) -> None:
    done = inbox.run("--help")
    assert done.returncode == 0
    assert "Usage: queue-task" in done.stdout


def test_without_an_inbox_it_says_so(inbox: Inbox) -> None:
    done = inbox.run("--", "true", AIR_EXECUTOR_INBOX="/nowhere")
    assert done.returncode == 1
    assert "no inbox at /nowhere" in done.stderr

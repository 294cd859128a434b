"""37: what is the command's or the image's fault is recorded as the engine's, or as the task's own exit code.

What no Linux executes, and what is no image's name, is refused with its field when the job is taken. What
only the engine can tell of an image, it is asked in a question about nothing else.
"""

import json

import pytest

from tests.real_manager import real_manager
from tests.waiting import until


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"command": "echo", "args": ["x" * 131_072]}, "at most 131071"),
        ({"command": "echo", "args": ["x" * 98_000] * 21}, "at most 1966080"),
        ({"command": "true", "image": "Upper/Case"}, "image"),
    ],
    ids=["argument", "arguments", "image"],
)
def test_what_is_seen_to_be_wrong_is_refused_with_its_field(task: dict[str, object], words: str) -> None:
    with real_manager() as manager:
        folder = manager.home / "jobs" / "job"
        folder.mkdir(parents=True)
        (folder / "state.json").write_text('{"id": "1", "name": "job", "state": "waiting"}')
        (folder / "tasks.json").write_text(json.dumps([{"id": "a", **task}]))
        until(lambda: manager.client.status("job").state == "failed", 60)
        job = manager.client.status("job").job
    assert job.failure is not None
    assert job.failure.cause == "bad_input"
    assert "tasks[0]" in job.failure.message and words in job.failure.message

"""37: what is the command's or the image's fault is recorded as the engine's, or as the task's own exit code.

What no Linux executes is known before a container is made; what is no image's name, by the engine's answer to
a question about nothing else.
"""

import pytest

from tests.real_manager import real_manager


@pytest.mark.parametrize(
    ("task", "cause", "words"),
    [
        ({"command": "echo", "args": ["x" * 131_072]}, "command", "argument 1 is 131,072 bytes long"),
        ({"command": "true", "image": "Upper/Case"}, "image", "'Upper/Case' is no image's name"),
    ],
    ids=["arguments", "image"],
)
def test_whose_fault_it_is_is_told_and_it_is_not_tried_again(
    task: dict[str, object], cause: str, words: str
) -> None:
    with real_manager() as manager:
        manager.client.create_job("job", [{"id": "a", **task}])
        (found,) = manager.client.wait("job", timeout=60).tasks
    assert (found.status, len(found.attempts)) == ("failed", 1)
    failure = found.attempts[0].failure
    assert failure is not None
    assert failure.cause == cause
    assert words in (found.error or "")

"""A task asks for a GPU that is declared, and the engine has no driver for it."""

from tests.real_manager import real_manager


def test_its_failure_says_what_to_install_and_it_is_not_tried_again() -> None:
    with real_manager(gpus='["none-such.example/gpu=0"]') as manager:
        task = {"id": "a", "command": "true", "network": "none", "resources": {"gpus": 1}, "retries": 3}
        manager.client.create_job("no-driver", [task])
        (found,) = manager.client.wait("no-driver", 30).tasks
        assert found.failure is not None and found.failure.cause == "bad_input"
        assert "NVIDIA Container Toolkit" in found.failure.message
        assert len(found.attempts) == 1
        manager.client.create_job("afterwards", [{"id": "a", "command": "true", "network": "none"}])
        assert manager.client.wait("afterwards", 30).state == "completed"

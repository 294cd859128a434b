"""FAULTS 9: one manager for one folder."""

import os
import subprocess
import sys

from tests.real_manager import ROOT, real_manager


def test_a_second_manager_for_the_same_folder_ends_at_once_and_says_whose_it_is() -> None:
    with real_manager() as first:
        second = subprocess.run(
            [sys.executable, "run_manager.py"],
            cwd=ROOT,
            env=os.environ | {"AIR_EXECUTOR_HOME": str(first.home)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert second.returncode == 1
        assert f"{first.home} is already managed by process" in second.stderr
        assert "Traceback" not in second.stderr
        first.client.create_job("still-served", [{"id": "a", "command": "true"}])
        assert first.client.wait("still-served", timeout=30).state == "completed"

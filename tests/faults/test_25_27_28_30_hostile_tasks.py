"""FAULTS 25, 27, 28, 30: tasks that try to get out, to spoil the record, or to use everything up."""

import os
import re
import time

import pytest

from tests.real_manager import RealManager
from tests.waiting import until


def sh(task_id: str, script: str, **fields: object) -> dict[str, object]:
    return {"id": task_id, "command": "sh", "args": ["-c", script], "network": "none"} | fields


def test_25_what_is_no_regular_file_in_the_inbox_is_rejected_and_nothing_is_followed(
    served: RealManager,
) -> None:
    script = (
        "ln -s /etc/passwd /inbox/new/link.json\n"
        "mkfifo /inbox/new/fifo.json\n"
        'echo \'{"id": "x", "command": "true"}\' > /work/file\n'
        "ln /work/file /inbox/new/hard.json || true\n"
        "mkdir /inbox/new/folder.json; touch /inbox/new/folder.json/in\n"
        "truncate -s 1G /inbox/tmp/huge.json; mv /inbox/tmp/huge.json /inbox/new/\n"
        "sleep 1\n"
    )
    served.client.create_job("hostile-inbox", [sh("a", script), sh("b", "true", dependencies=["a"])])
    view = served.client.wait("hostile-inbox", timeout=60)
    assert view.state == "completed"
    assert [task.id for task in view.tasks] == ["a", "b"]
    refused = {decision.request: decision.reason or "" for decision in view.job.requests}
    assert {"link.json", "fifo.json", "folder.json", "huge.json"} <= set(refused)
    assert all("regular file" in refused[name] for name in ("link.json", "fifo.json", "folder.json"))
    assert "is larger than" in refused["huge.json"]


def test_25_folders_that_are_swapped_for_links_are_not_followed(served: RealManager) -> None:
    script = (
        "rmdir /inbox/new; ln -s /work/elsewhere /inbox/new\n"
        'mkdir /work/elsewhere; echo \'{"id": "x", "command": "true"}\' > /work/elsewhere/x.json\n'
        "rmdir /inbox/tmp; ln -s / /inbox/tmp\n"
    )
    served.client.create_job("swapped", [sh("a", script)])
    served.client.create_job("beside-swapped", [sh("a", "true")])
    view = served.client.wait("swapped", timeout=60)
    assert [task.id for task in view.tasks] == ["a"]
    assert served.client.wait("beside-swapped", timeout=60).state == "completed"


def test_27_a_task_can_change_neither_its_own_nor_another_jobs_state(served: RealManager) -> None:
    script = (
        "{ for f in /work/../state.json /work/../tasks.json /work/../cancel /jobs/x"
        " /inbox/../cancel /inbox/../logs/a.log; do\n"
        "  (echo evil > $f) && echo wrote $f\n"
        "done\n"
        "ln -s ../../state.json /work/up; (echo evil > /work/up) && echo wrote up\n"
        "rmdir /work /inbox && echo gone; } 2>/dev/null\n"
        "true"
    )
    served.client.create_job("contained", [sh("a", script)])
    view = served.client.wait("contained", timeout=60)
    assert view.state == "completed"
    assert served.client.log_file("contained", "a").read_text() == ""
    assert list(served.client.store.folder("contained").path.glob("*.edited-*")) == []


MISSING = re.compile(
    rb"\n\[air-executor: more output than the setting log_mb keeps; "
    rb"these were its first (?P<first>\d+) bytes, its last ones follow when the task has ended\]\n"
    rb"\[air-executor: (?P<missing>\d+) bytes \(\d+ lines\) are missing here\]\n"
)


@pytest.mark.parametrize("length", [2, 40, 1000])
def test_28_a_flood_of_output_keeps_its_ends_and_says_what_is_missing_and_neighbours_finish(
    served: RealManager, length: int
) -> None:
    script = f"yes {'x' * (length - 1)} | head -c 1500000"
    name = f"flood-{length}"
    served.client.create_job(name, [sh("a", script), sh("b", "echo calm")])
    view = served.client.wait(name, timeout=60)
    assert view.state == "completed"
    assert served.client.log_file(name, "b").read_text() == "calm\n"
    log = served.client.log_file(name, "a").read_bytes()
    output = ((b"x" * (length - 1) + b"\n") * (1_500_000 // length + 1))[:1_500_000]
    mark = MISSING.search(log)
    assert mark is not None, log[-300:]
    first, last = log[: mark.start()], log[mark.end() :]
    assert (len(first), len(log) < (1 << 20) + 300) == (int(mark["first"]), True)
    assert output.startswith(first) and output.endswith(last)
    assert len(first) + int(mark["missing"]) + len(last) == len(output)


def test_28_a_fork_bomb_and_a_filled_tmp_are_contained_and_neighbours_finish(served: RealManager) -> None:
    bomb = "b() { b | b & }; b; sleep 1; exit 5"
    fill = "dd if=/dev/zero of=/tmp/x bs=1M count=500 2>/dev/null; exit 6"
    few = {"pids": 20, "memory_mb": 128, "cpus": 0.5}
    jobs = {
        "bomb": sh("a", bomb, resources=few, timeout=20),
        "fill": sh("a", fill, resources=few),
        "calm": sh("a", "true"),
    }
    for name, task in jobs.items():
        served.client.create_job(f"use-up-{name}", [task])
    ends = {name: served.client.wait(f"use-up-{name}", timeout=60) for name in jobs}
    assert ends["calm"].state == "completed"
    assert ends["bomb"].state == "failed"
    fill_failure = ends["fill"].job.failure
    assert fill_failure is not None
    assert (fill_failure.cause, fill_failure.exit_code) in (("exit", 6), ("oom", 137))


def test_30_a_task_that_ignores_sigterm_is_killed_at_its_timeout(served: RealManager) -> None:
    stubborn = {
        "command": "python3",
        "args": [
            "-uc",
            "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('on')\ntime.sleep(60)",
        ],
    }
    served.client.create_job("stubborn", [{"id": "a", "timeout": 2, "network": "none"} | stubborn])
    view = served.client.wait("stubborn", timeout=60)
    task = view.tasks[0]
    assert task.failure is not None
    assert (task.failure.cause, task.attempts[0].exit_code) == ("timeout", 137)


def test_30_a_deadline_that_passes_while_no_manager_runs_is_a_timeout(served: RealManager) -> None:
    served.client.create_job("overslept", [sh("a", "sleep 60", timeout=2)])
    task = until(
        lambda: (found := served.client.status("overslept").tasks[0]).status == "running" and found, 20
    )
    assert task.started_at is not None
    served.kill()
    until(lambda: time.time() > task.started_at.timestamp() + 2, 10)
    served.start()
    view = served.client.wait("overslept", timeout=60)
    assert view.job.failure is not None
    assert view.job.failure.cause == "timeout"


def test_files_that_tasks_write_belong_to_whom_they_should(served: RealManager) -> None:
    served.client.create_job("owner", [sh("a", "touch mine")])
    assert served.client.wait("owner", timeout=60).state == "completed"
    folder = served.client.store.folder("owner")
    expected = folder.path.stat().st_uid or 65534
    assert (folder.work / "mine").stat().st_uid == expected
    assert os.access(folder.work, os.W_OK)

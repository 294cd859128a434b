"""Tasks of one job write in one work folder, whatever their users and however they were started."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from air_executor import JobView
from tests.attempts.other_user import can_not_read, does, needs_root
from tests.real_manager import RealManager, idle_manager, real_manager
from tests.waiting import until

ONE, OTHER, THIRD = "12001", "12002", "12003"
LISTED = '["12001-12003"]'
STARTS = {
    "warm": {"warm": 1, "look_ahead": 4},
    "ahead": {"warm": 0, "look_ahead": 4},
    "cold": {"warm": 0, "look_ahead": 0},
}
READY = "until test -e {}; do sleep 0.05; done; "


def sh(task_id: str, script: str, *after: str, **fields: object) -> dict[str, object]:
    """A task that is not tried again, and whose command ends with the first that fails."""
    words = {"id": task_id, "command": "sh", "args": ["-ec", script], "dependencies": after}
    return words | {"retries": 0} | fields


@pytest.fixture(scope="module", params=STARTS)
def shared(request: pytest.FixtureRequest) -> Iterator[RealManager]:
    with real_manager(users=LISTED, **STARTS[request.param]) as made:
        yield made


@pytest.fixture
def manager(shared: RealManager, on_failure: Callable[..., None]) -> RealManager:
    on_failure("the manager and its containers", shared.evidence)
    return shared


@pytest.fixture
def job(request: pytest.FixtureRequest, manager: RealManager) -> str:
    """A name of its own for each test's job."""
    return request.node.originalname.removeprefix("test_")[:60]


def run(manager: RealManager, job: str, *tasks: dict[str, object]) -> JobView:
    manager.client.create_job(job, tasks)
    return completed(manager, job)


def completed(manager: RealManager, job: str) -> JobView:
    view = manager.client.wait(job, 60)
    logs = {task.id: manager.client.log_file(job, task.id) for task in view.tasks}
    said = {name: file.read_text() for name, file in logs.items() if file.exists()}
    assert view.state == "completed", (view.job.failure, said)
    return view


def work_of(manager: RealManager, job: str) -> Path:
    return manager.client.store.folder(job).work


def test_who_began_goes_on_writing_when_another_user_comes(manager: RealManager, job: str) -> None:
    run(
        manager,
        job,
        sh("a", "sleep 1; touch /work/late"),
        sh("b", "touch /work/of-b", "a", user=ONE),
        sh("c", "touch /work/of-b /work/late; rm /work/of-b", "b"),
    )
    assert [path.name for path in work_of(manager, job).iterdir()] == ["late"]


def test_two_at_once_append_to_one_file_and_fill_one_folder(manager: RealManager, job: str) -> None:
    def writer(name: str, other: str) -> str:
        meet = f"mkdir -p both; touch both/{name}; " + READY.format(f"both/{other}")
        return meet + f"for i in 1 2 3 4 5 6 7 8 9; do echo {name} >> lines; touch both/{name}$i; done"

    run(
        manager,
        job,
        sh("a", writer("a", "b"), user=ONE),
        sh("b", writer("b", "a"), user=OTHER),
        sh("c", "rm -r both; echo c >> lines", "a", "b", user=THIRD),
    )
    lines = (work_of(manager, job) / "lines").read_text().split()
    assert sorted(lines) == ["a"] * 9 + ["b"] * 9 + ["c"]
    assert not (work_of(manager, job) / "both").exists()


def test_what_one_has_made_with_a_umask_of_its_own_the_other_changes_and_deletes(
    manager: RealManager, job: str
) -> None:
    run(
        manager,
        job,
        sh("a", "umask 077; mkdir -p deep/er; echo a > deep/er/file; echo a > deep/other", user=ONE),
        sh("b", "echo b >> deep/er/file; rm deep/other; mkdir deep/er/more; touch deep/er/more/x", "a"),
        sh("c", "mv deep/er/more deep/moved; rm deep/moved/x; rmdir deep/moved", "b", user=OTHER),
    )
    assert (work_of(manager, job) / "deep/er/file").read_text() == "a\nb\n"


def test_a_working_directory_of_one_is_the_others_too(manager: RealManager, job: str) -> None:
    run(
        manager,
        job,
        sh("a", "touch here", user=ONE, workdir="/work/in/there"),
        sh("b", "rm here; touch too", "a", user=OTHER, workdir="/work/in/there"),
    )
    assert [path.name for path in (work_of(manager, job) / "in/there").iterdir()] == ["too"]


def test_a_user_that_comes_later_by_the_inbox_gets_what_is_there(manager: RealManager, job: str) -> None:
    manager.client.create_job(
        job, [sh("a", "umask 077; mkdir old; echo a > old/file; touch begun; " + READY.format("done"))]
    )
    until(lambda: (work_of(manager, job) / "begun").exists(), 30)
    manager.client.queue(
        job, sh("b", "echo b >> old/file; touch old/b; rm begun; mkdir new; touch new/b done", user=ONE)
    )
    manager.client.queue(job, sh("c", "rm -r new; echo c >> old/file", "a", "b", user=OTHER))
    completed(manager, job)
    assert (work_of(manager, job) / "old/file").read_text() == "a\nb\nc\n"


@needs_root
def test_no_other_account_reads_it(manager: RealManager, job: str) -> None:
    run(
        manager,
        job,
        sh("a", "mkdir in; echo secret > in/file", user=ONE),
        sh("b", "cat in/file", "a", user=OTHER),
    )
    work = work_of(manager, job).resolve()
    before = manager.home.stat().st_mode
    manager.home.chmod(0o711)
    try:
        can_not_read(work, work / "in", work / "in/file")
        does(lambda: (work / "in/file").read_text(), int(OTHER))
    finally:
        manager.home.chmod(before)


def test_a_job_with_a_user_of_its_own_shares_with_one_that_is_listed_and_with_the_next_when_it_is_retried(
    on_failure: Callable[..., None],
) -> None:
    with real_manager(users=LISTED, job_uids="200000-200999") as manager:
        on_failure("the manager and its containers", manager.evidence)
        tasks = (
            sh("a", "mkdir in; umask 077; id -u > in/file"),
            sh("b", "touch in/b; test -e tried || { touch tried; false; }", "a", user=ONE),
            sh("c", "id -u >> in/file; rm in/b", "b"),
        )
        manager.client.create_job("job", tasks)
        assert manager.client.wait("job", 60).state == "failed"
        manager.client.retry("job")
        until(lambda: manager.client.status("job").state == "completed", 60)
        users = (work_of(manager, "job") / "in/file").read_text().split()
        assert len(set(users)) == 2


# --- A manager that is not root ---------------------------------------------------------------------------

MANAGER = 12000


@pytest.fixture(params=STARTS)
def unprivileged(request: pytest.FixtureRequest, on_failure: Callable[..., None]) -> Iterator[RealManager]:
    """As an account that may use the engine."""
    with idle_manager(users=LISTED, **STARTS[request.param]) as made:
        os.chown(made.home, MANAGER, MANAGER)
        made.printed.touch()
        group = Path("/var/run/docker.sock").stat().st_gid
        as_it = ["setpriv", f"--reuid={MANAGER}", f"--regid={MANAGER}", f"--groups={group}"]
        made.command = [*as_it, *made.command]
        on_failure("the manager and its containers", made.evidence)
        (made.home / "jobs").mkdir()
        os.chown(made.home / "jobs", MANAGER, MANAGER)
        made.start()
        yield made
        made.stop()


def create(manager: RealManager, job: str, *tasks: dict[str, object]) -> None:
    """As a job of the manager's own account."""
    does(lambda: manager.client.create_job(job, tasks) and None, MANAGER)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, of util-linux")
def test_a_manager_that_is_not_root_lets_all_users_write_too(unprivileged: RealManager) -> None:
    create(
        unprivileged,
        "job",
        sh("a", "sleep 1; touch late; mkdir of-a; umask 077; mkdir of-a/in; echo a > of-a/in/file"),
        sh("b", "touch of-b; echo b >> of-a/in/file; mkdir of-a/in/b", "a", user=ONE),
        sh("c", "rm of-b late; touch of-a/in/b/c; queue-task --id d -- true", "b", user=OTHER),
    )
    completed(unprivileged, "job")
    work = work_of(unprivileged, "job").resolve()
    assert (work / "of-a/in/file").read_text() == "a\nb\n"
    create(unprivileged, "alone", sh("a", "touch x", user=ONE))
    completed(unprivileged, "alone")
    does(lambda: unprivileged.client.reset("job"), MANAGER)
    until(
        lambda: work_of(unprivileged, "job").exists() and work_of(unprivileged, "job").resolve() != work, 30
    )
    completed(unprivileged, "job")
    until(lambda: not work.exists(), 60)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, of util-linux")
def test_and_says_so_where_it_can_not_open_what_is_there_to_one_more(unprivileged: RealManager) -> None:
    create(
        unprivileged,
        "job",
        sh("a", READY.format("done"), user=ONE),
    )
    until(lambda: unprivileged.client.status("job").tasks[0].status == "running", 30)
    does(lambda: unprivileged.client.queue("job", sh("b", "true", user=OTHER)) and None, MANAGER)
    does(lambda: unprivileged.client.queue("job", sh("c", "touch done")) and None, MANAGER)
    view = completed(unprivileged, "job")
    reasons = [decision.reason for decision in view.job.requests if not decision.accepted]
    assert len(reasons) == 1
    assert "user: '12002' is a user that no task of this job has" in (reasons[0] or "")

"""Work folders that are opened to all users of a job's tasks, and to nobody else."""

import errno
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from air_executor.errors import BadInput
from manager.engine.retry import Stopped
from manager.folder import acl, removal, sharing, workspace
from manager.folder.acl import Kind
from manager.folder.pace import AT_ONCE, Pace
from manager.folder.usage import Look
from manager.folder.walk import Step
from manager.model.values import Owner
from tests.attempts.other_user import does, needs_root

ONE, OTHER, THIRD, WRITER = 12001, 12002, 12003, 12004
STRANGER = 12345
pytestmark = needs_root


@pytest.fixture
def home() -> Iterator[Path]:
    """One that every user of this machine gets into; pytest's own folders are not."""
    made = Path(tempfile.mkdtemp(prefix="air-executor-sharing-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def work(home: Path) -> Path:
    """The work folder of a job whose first task runs as ONE; others get as far as there."""
    (home / "work").mkdir()
    (home / "work").chmod(0o711)
    made = home / "work" / "job~0123"
    workspace.make_work(made, Owner(ONE, ONE))
    return made


def shell(script: str, folder: Path) -> Callable[[], None]:
    def run() -> None:
        os.chdir(folder)
        subprocess.run(["sh", "-ec", script], check=True)

    return run


def as_user(user: int, script: str, folder: Path) -> None:
    does(shell(script, folder), user)


def group_can(script: str, folder: Path) -> bool:
    """Whether somebody else can do that who is in the group of ONE."""
    done = subprocess.run(["sh", "-c", script], cwd=folder, user=STRANGER, group=ONE, extra_groups=[])
    return done.returncode == 0


def as_it_is(folder: Path) -> list[tuple[str, int, int, bool]]:
    return [
        (
            str(path),
            path.lstat().st_mode,
            path.lstat().st_uid,
            "system.posix_acl_access" in os.listxattr(path),
        )
        for path in (folder, *folder.rglob("*"))
    ]


def test_where_all_tasks_have_one_user_nothing_changes(work: Path) -> None:
    before = as_it_is(work)
    sharing.share(work, {ONE}, WRITER)
    assert as_it_is(work) == before
    assert (stat.S_IMODE(work.stat().st_mode), work.stat().st_uid) == (0o750, ONE)


def test_what_one_makes_the_others_change_and_delete(work: Path) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, "umask 077; mkdir in; echo a > in/file; mkdir in/deep; echo a > in/deep/other", work)
    as_user(OTHER, "echo b >> in/file; rm -r in/deep; mkdir in/b; touch in/b/x; mv in/b in/c", work)
    as_user(ONE, "echo c >> in/file; rm in/c/x; rmdir in/c", work)
    assert (work / "in/file").read_text() == "a\nb\nc\n"
    assert work.stat().st_uid == ONE


def test_who_wrote_the_job_reads_what_several_users_have_made(work: Path) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(OTHER, "umask 077; echo a > file", work)
    as_user(WRITER, "cat file", work)


def test_nobody_else_reads_more_than_before(work: Path) -> None:
    as_user(ONE, "umask 077; mkdir in; echo a > in/file", work)
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, "umask 000; mkdir -p new; echo a > new/file", work)
    for path in (".", "in", "in/file", "new", "new/file"):
        as_user(STRANGER, f"! test -r {work / path} && ! test -w {work / path}", Path("/"))
    assert (work / "new/file").stat().st_mode & 0o007 == 0


def test_the_group_of_the_owner_gets_into_the_folder_and_reads_nothing_that_is_closed_to_it(
    work: Path,
) -> None:
    (work / "before").touch(0o640)
    os.chown(work / "before", ONE, ONE)
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, "umask 077; mkdir in; echo a > in/file; echo a > secret", work)
    tries = ("ls", "cat before", "cat secret", "ls in", "cat in/file", "touch x")
    assert [group_can(script, work) for script in tries] == [True, True, False, False, False, False]
    as_user(WRITER, "cat before secret in/file; ls in", work)


def test_a_folder_that_was_closed_to_the_group_of_its_owner_stays_so(work: Path) -> None:
    work.chmod(0o700)
    sharing.share(work, {ONE, OTHER}, WRITER)
    assert not group_can(f"ls {work}", Path("/"))


def test_a_user_that_comes_later_gets_what_is_there_whatever_its_mode(work: Path) -> None:
    as_user(ONE, "umask 077; mkdir -p in/deep; echo a > in/deep/file; printf '#!/bin/sh\n' > run", work)
    as_user(ONE, "chmod 700 run; mkfifo pipe; chmod 600 pipe; echo a > read-only; chmod 400 read-only", work)
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(OTHER, "echo b >> in/deep/file; ./run; echo b >> read-only; mkdir of-other", work)
    as_user(OTHER, "chmod 700 of-other; echo b > of-other/file", work)
    sharing.share(work, {ONE, OTHER, THIRD}, WRITER)
    as_user(THIRD, "echo c >> of-other/file; echo c >> in/deep/file; rm -r in; test -w pipe", work)
    assert (work / "run").stat().st_mode & 0o111
    assert (work / "read-only").stat().st_mode & 0o111 == 0


MAKES = "cp /etc/hosts copied; install -m 755 /bin/true tool; mkdir -m 755 made; cp /etc/hosts made/inner"
"""With modes of their own, as programs do: narrower than what is inherited."""


def test_what_programs_have_made_with_a_narrower_mode_is_opened_before_the_next_task(work: Path) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, MAKES, work)
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(OTHER, "echo more >> copied; echo more >> tool; touch made/x; echo more >> made/inner", work)


def test_what_is_closed_to_all_but_its_owner_stays_so(work: Path) -> None:
    """ssh refuses a key that others may read."""
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, "umask 077; mkdir -m 700 .ssh; install -m 600 /etc/hosts .ssh/key; mktemp -p .", work)
    modes = {path: path.stat().st_mode for path in work.rglob("*")}
    sharing.share(work, {ONE, OTHER}, WRITER)
    assert {path: path.stat().st_mode for path in work.rglob("*")} == modes


def test_what_is_open_already_is_not_even_opened(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, "mkdir a; touch a/b c; ln -s c d", work)
    monkeypatch.setattr(sharing, "_share_one", None)
    sharing.share(work, {ONE, OTHER}, WRITER)
    sharing.share(work, {ONE}, WRITER)
    sharing.share(work, {OTHER}, WRITER)


def test_a_folder_whose_own_mode_a_task_has_changed_is_open_to_all_again(work: Path) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(ONE, "chmod 700 .", work)
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(OTHER, "touch x", work)


def test_one_that_was_broken_off_is_taken_up_again(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(ONE, "umask 077; echo a > file", work)
    with monkeypatch.context() as patch:
        patch.setattr(sharing, "_share_one", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sharing.share(work, {ONE, OTHER}, WRITER)
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(OTHER, "echo b >> file", work)


def test_what_belongs_to_somebody_else_and_what_links_lead_to_stays_as_it_is(work: Path, home: Path) -> None:
    precious = home / "precious"
    precious.mkdir()
    (precious / "file").write_text("secret")
    os.chown(precious / "file", ONE, ONE)
    (work / "link").symlink_to(precious)
    (work / "to-file").symlink_to(precious / "file")
    (work / "moved").mkdir(mode=0o700)
    (work / "moved" / "secret").touch(0o600)
    (work / "linked").touch(0o600)
    (work / "of-root").touch(0o600)
    os.chown(work / "moved", ONE, ONE)
    for path in (work / "moved" / "secret", work / "linked"):
        os.chown(path, STRANGER, STRANGER)
    others = (precious, work / "moved" / "secret", work / "linked", work / "of-root")
    before = [as_it_is(path) for path in others]
    sharing.share(work, {ONE, OTHER}, 0)
    assert [as_it_is(path) for path in others] == before


def test_however_deep_folders_are_they_are_shared(work: Path) -> None:
    depth = 1500
    here = os.open(work, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 100, 0o700, dir_fd=here)
        os.chown("d" * 100, ONE, ONE, dir_fd=here)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    sharing.share(work, {ONE, OTHER}, WRITER)
    assert acl.read(f"/proc/self/fd/{here}", Kind.DEFAULT) is not None
    os.close(here)
    removal.delete(work)
    assert not work.exists()


def test_what_is_shared_is_counted_and_deleted_as_before(work: Path) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    as_user(OTHER, "mkdir in; touch in/file", work)
    look = Look([work])
    while look.go_on(100):
        pass
    assert look.usage.inodes == 3
    workspace.delete(work)
    assert not work.exists()


def test_a_manager_that_is_not_root_shares_what_is_its_own_and_deletes_what_others_made(
    home: Path, work: Path
) -> None:
    works = home / "works"
    works.mkdir()
    os.chown(works, WRITER, WRITER)
    own = works / "job"
    user = Owner(ONE, ONE)
    does(lambda: workspace.make_work(own, user, {ONE, OTHER}), WRITER)
    assert own.stat().st_uid == WRITER
    works.chmod(0o711)
    as_user(ONE, "umask 077; mkdir in; echo a > in/file", own)
    as_user(OTHER, "echo b >> in/file; mkdir in/other; touch in/other/x", own)

    def tries() -> None:
        with pytest.raises(BadInput, match="user: 'in' in the job's work folder belongs to user 12001"):
            workspace.make_work(own, user, {ONE, OTHER, THIRD})

    does(tries, WRITER)
    does(lambda: workspace.delete(own), WRITER)
    assert not own.exists()


@pytest.fixture
def no_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "setxattr", unsupported)
    monkeypatch.setattr(os, "getxattr", unsupported)


@pytest.mark.usefixtures("no_lists")
def test_without_lists_several_users_are_refused_and_a_single_other_one_gets_the_folder(work: Path) -> None:
    with pytest.raises(BadInput, match="user: user 12002 can't be given the job's work folder beside others"):
        workspace.make_work(work, Owner(OTHER, OTHER), {ONE, OTHER})
    workspace.make_work(work, Owner(ONE, ONE), {ONE})
    workspace.make_work(work, Owner(OTHER, OTHER), {OTHER})
    assert (work.stat().st_uid, stat.S_IMODE(work.stat().st_mode)) == (OTHER, 0o755)


def test_a_folder_that_a_job_brings_is_shared_with_all_that_is_in_it(home: Path, work: Path) -> None:
    job = home / "jobs" / "brings"
    (job / "work" / "in").mkdir(parents=True)
    (job / "work" / "in" / "file").touch(0o600)
    for path in (job, *job.rglob("*")):
        os.chown(path, WRITER, WRITER)
    brought = work.with_name("brings~0123")
    workspace.prepare(job, brought, Owner(ONE, ONE), {ONE, OTHER})
    for user in (ONE, OTHER, WRITER):
        as_user(user, f"echo {user} >> in/file; touch in/{user}", brought)


def test_a_working_directory_that_is_made_in_it_is_shared(work: Path) -> None:
    sharing.share(work, {ONE, OTHER}, WRITER)
    workspace.make_workdir(work, ("in", "there"), Owner(ONE, ONE))
    as_user(OTHER, "touch in/there/x", work)
    assert (work / "in/there").stat().st_uid == ONE


def test_tasks_that_go_on_making_folders_do_not_hold_the_manager(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sharing._share_one

    def share_and_see_more(step: Step, sharers: Collection[int]) -> None:
        real(step, sharers)
        os.mkdir(f"{step.name}/more", dir_fd=step.folder)
        os.chown(f"{step.name}/more", ONE, ONE, dir_fd=step.folder)

    as_user(ONE, "mkdir first", work)
    monkeypatch.setattr(sharing, "_share_one", share_and_see_more)
    with pytest.raises(BadInput, match="user: its tasks make or move folders in"):
        workspace.make_work(work, Owner(ONE, ONE), {ONE, OTHER}, pace=Pace(100))
    assert acl.read(str(work), Kind.ACCESS) is None, "it does not count as shared"
    removal.delete(work)


def test_a_manager_that_stops_ends_the_walk(work: Path) -> None:
    def stop(seconds: float) -> None:
        raise Stopped

    for number in range(AT_ONCE):
        (work / str(number)).touch()
    with pytest.raises(Stopped):
        workspace.make_work(work, Owner(ONE, ONE), {ONE, OTHER}, pace=Pace(sleep=stop))

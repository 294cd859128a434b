"""What is wrong, what to do, and what is removed."""

import errno
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from air_executor.client import Client
from air_executor.clock import utc_now
from air_executor.daemon import STATUS, ManagerStatus, process_of
from manager.daemon import declared_mounts
from manager.daemon.disk import MIB
from manager.daemon.identity import own_id
from manager.daemon.lock import hold
from manager.engine.contract import Confinement, EngineError, Status
from manager.folder import acl
from manager.folder.file_events import NoFileEvents
from manager.folder.journal import Journal
from manager.model import containers
from manager.model.home import Home
from manager.ops import doctor as module
from manager.ops.doctor import Doctor, Finding, Grade
from tests.fakes.engine import FakeEngine, Program
from tests.unit.manager.builders import (
    at,
    claimed,
    container,
    created,
    key,
    live_job,
    settings,
    started,
    task,
)

HOME_ID = "00d1ed0ddba11000"


class Patient:
    """A home folder with an engine, and a doctor for both."""

    def __init__(self, path: Path, **fields: Any) -> None:
        self.path = path
        self.engine = FakeEngine()
        self.settings = settings(path, **fields)
        self.doctor = Doctor(self.settings, self.engine)
        self.home = Home(HOME_ID, path)

    def found(self, subject: str) -> list[Finding]:
        return [finding for finding in self.doctor.examine() if finding.subject == subject]

    def one(self, subject: str) -> Finding:
        (finding,) = self.found(subject)
        return finding

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*"))

    def managed(self) -> None:
        """A manager has run here, and gave the folder its identity."""
        (self.path / "home-id").write_text(f"{HOME_ID}\n")
        (self.path / "home-inode").write_text(f"{self.path.stat().st_ino} {self.path}\n")

    def runs(self) -> None:
        """A job whose first task runs, in the journal and in the engine, as a manager leaves them."""
        job = live_job(task("a"), task("b"))
        for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
            job.apply(fact)
        Journal(self.path / "journal").record(job.everything())
        self.plant("a", Status.RUNNING)

    def plant(self, task_id: str, status: Status = Status.EXITED) -> str:
        """A container of a task. That of one that has ended may be removed: its outcome was seen."""
        spec = container(task(task_id), key(task_id), self.path, home=self.home)
        self.engine.plant(spec, status=status, outcome_seen=status is Status.EXITED)
        return spec.name


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    made = Patient(tmp_path)
    yield made
    made.engine.check()


def test_where_nothing_is_wrong_nothing_is_bad_and_nothing_is_changed(patient: Patient) -> None:
    Client(patient.path).create_job("demo", [{"id": "a", "command": "true"}])
    before = patient.files()
    findings = [*patient.doctor.examine(), *patient.doctor.clean_up(dry_run=True)]
    assert [finding for finding in findings if finding.grade is Grade.BAD] == []
    assert {finding.subject for finding in findings} == {
        "home",
        "space",
        "manager",
        "file events",
        "work folders",
        "journal",
        "jobs",
        "engine",
        "image",
        "network",
        "confinement",
        "containers",
    }
    assert patient.files() == before, "looking makes neither a home-id nor a lock"


def test_what_tasks_are_kept_in_by_is_told_and_what_is_missing_is_warned_of(patient: Patient) -> None:
    assert patient.one("confinement").text == "tasks are kept in by seccomp (strict)"
    patient.engine.kept_in = Confinement(means=(), gaps=("the engine has no seccomp",))
    finding = patient.one("confinement")
    assert (finding.grade, finding.text) == (Grade.WARN, "the engine has no seccomp")


def test_whether_work_folders_can_be_shared_that_nobody_can_tell_now_is_not_said(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(acl, "problem", full)
    finding = patient.one("work folders")
    assert finding.grade is Grade.WARN
    assert "can't be tried: No space left on device" in finding.text


def test_whether_work_folders_can_be_shared_is_tried_where_they_are(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def none_there(place: Path) -> str:
        tried.append(place)
        return acl.NONE

    monkeypatch.setattr(acl, "problem", none_there)
    assert f"of {patient.path}, its file system has no" in patient.one("work folders").text
    patient.home.works.mkdir()
    assert f"of {patient.home.works}, its file system has no" in patient.one("work folders").text
    assert tried == [patient.path, patient.home.works]


@pytest.mark.parametrize(("make", "words"), [("nothing", "is not there"), ("file", "is not a folder")])
def test_a_home_that_is_no_folder_is_bad_and_the_engine_is_looked_at_all_the_same(
    tmp_path: Path, make: str, words: str
) -> None:
    if make == "file":
        (tmp_path / "home").touch()
    patient = Patient(tmp_path / "home")
    assert patient.one("home").grade is Grade.BAD
    assert f"{tmp_path / 'home'} {words}" in patient.one("home").text
    assert patient.one("engine").grade is Grade.OK
    assert patient.doctor.clean_up(dry_run=False)[0].grade is Grade.OK


def has(monkeypatch: pytest.MonkeyPatch, **room: int) -> None:
    """The home's file system has so much room: MiB, and files where their number is fixed."""
    told = SimpleNamespace(**{"f_bavail": 5000, "f_frsize": MIB, "f_files": 0, "f_favail": 0} | room)
    monkeypatch.setattr(os, "statvfs", lambda _: told)


@pytest.mark.parametrize(("free", "grade"), [(63, Grade.BAD), (64, Grade.WARN), (1024, Grade.OK)])
def test_little_free_space_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, grade: Grade
) -> None:
    has(monkeypatch, f_bavail=free)
    finding = Patient(tmp_path, min_free_mb=64).one("space")
    assert finding.grade is grade
    assert f"{free} MiB" in finding.text


def test_who_has_most_of_what_is_used_is_told_where_little_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "jobs" / "big" / "work"
    work.mkdir(parents=True)
    (work / "data").write_bytes(bytes(3 * MIB))
    has(monkeypatch, f_bavail=1)
    assert "free some space; most is used by big (3 MiB in 3 files)" in Patient(tmp_path).one("space").text


def test_room_for_a_few_more_files_only_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, f_files=100_000, f_favail=99)
    finding = Patient(tmp_path).one("space")
    assert finding.grade is Grade.BAD
    assert "room for 99 more files only, the setting min_free_inodes wants 1000" in finding.text


def test_a_folder_that_may_not_be_written_is_bad(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module.os, "access", lambda *_: False)
    monkeypatch.setattr(module, "TemporaryDirectory", refuse)
    assert patient.one("home").grade is Grade.BAD
    assert "can't be read and written: run this as the user" in patient.one("home").text
    assert patient.one("file events").grade is Grade.BAD


def test_file_events_that_do_not_come_are_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert patient.one("file events").grade is Grade.OK
    monkeypatch.setattr(module, "_notices_files", lambda _: False)
    finding = patient.one("file events")
    assert finding.grade is Grade.WARN
    assert "a look every 5 s" in finding.text


def test_file_events_that_can_not_be_had_are_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise NoFileEvents("no more watches are allowed")

    monkeypatch.setattr(module, "_notices_files", refuse)
    finding = patient.one("file events")
    assert finding.grade is Grade.WARN
    assert "can't be had: no more watches are allowed; jobs are noticed" in finding.text


def say(home: Path, seconds_ago: float) -> None:
    """As a manager that is this process."""
    now = utc_now()
    words = ManagerStatus(
        pid=os.getpid(),
        process=process_of(os.getpid()),
        host="here",
        started_at=at(0),
        updated_at=now - timedelta(seconds=seconds_ago),
        runners=2,
        max_runners=10,
        engine="Docker 26.1.5",
    )
    (home / STATUS).write_text(words.model_dump_json())


def test_a_manager_that_speaks_is_well_and_one_that_is_silent_hangs(patient: Patient) -> None:
    assert (patient.one("manager").grade, "`make up`" in patient.one("manager").text) == (Grade.WARN, True)
    say(patient.path, 5)
    assert patient.one("manager").grade is Grade.OK
    assert "2 of 10 runners in use, engine: Docker 26.1.5" in patient.one("manager").text
    say(patient.path, 200)
    assert patient.one("manager").grade is Grade.BAD
    assert "has said nothing for 200 s" in patient.one("manager").text


def test_damaged_journals_are_named_and_many_of_them_counted(patient: Patient) -> None:
    journal = patient.path / "journal"
    journal.mkdir()
    for number in range(12):
        (journal / f"job~{number:012}.journal.damaged").touch()
    findings = patient.found("journal")
    assert {finding.grade for finding in findings} == {Grade.BAD}
    assert f"{journal}/job~000000000000.journal.damaged: its job was not taken up again" in findings[0].text
    assert findings[-1].text == "and 2 more"
    assert len(findings) == 11


def test_jobs_whose_files_can_not_be_read_are_named_with_the_place(patient: Patient) -> None:
    folder = patient.path / "jobs" / "hand"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"id": 7, "name": "hand"}))
    finding = patient.one("job")
    assert finding.grade is Grade.BAD
    assert finding.text.startswith(f"{folder}/state.json: id: must be a string")


def test_an_engine_that_does_not_answer_is_bad_and_says_why(patient: Patient) -> None:
    patient.managed()
    patient.engine.go_down("the container engine does not answer: no such socket")
    assert patient.one("engine").grade is Grade.BAD
    assert "no such socket; is it running" in patient.one("engine").text
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert (finding.grade, "is not known" in finding.text) == (Grade.WARN, True)


@pytest.mark.parametrize(
    ("egress", "words"),
    [("open", "beside that: open"), ("none", "beside that: none"), (["::1"], ": ::1/128")],
)
def test_it_is_told_what_jobs_reach(patient: Patient, egress: object, words: str) -> None:
    patient.doctor = Doctor(settings(patient.path, egress=egress), patient.engine)
    finding = patient.one("network")
    assert (finding.grade, words in finding.text) == (Grade.OK, True), finding
    assert "neither each other nor the host's 1 addresses" in finding.text
    assert patient.engine.names == []


@pytest.mark.parametrize(("egress", "grade"), [("open", Grade.WARN), ("none", Grade.BAD)])
def test_that_networks_can_not_be_shut_is_told_with_what_mends_it(
    patient: Patient, egress: str, grade: Grade
) -> None:
    patient.engine.netguard = Program(start_fails="there is no such command")
    patient.doctor = Doctor(settings(patient.path, egress=egress), patient.engine)
    finding = patient.one("network")
    assert finding.grade is grade
    assert "tasks reach the host and each other" in finding.text
    assert containers.NETGUARD_IN_IMAGE in finding.text


def test_an_image_that_is_not_here_is_bad(patient: Patient) -> None:
    patient.engine.images = {"another"}
    finding = patient.one("image")
    assert finding.grade is Grade.BAD
    assert "air-executor-runner:latest" in finding.text
    assert "`make setup`" in finding.text


# --- Containers that serve nobody ------------------------------------------------------------------------


def test_containers_that_serve_are_left_alone(patient: Patient) -> None:
    patient.managed()
    patient.runs()
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert finding.grade is Grade.OK
    assert len(patient.engine.names) == 1
    assert not (patient.path / "manager.lock").exists(), "nothing to do, nothing to lock"


def test_a_container_that_serves_nobody_is_shown_by_a_dry_run_and_removed_without(
    patient: Patient,
) -> None:
    patient.managed()
    patient.runs()
    before = patient.engine.names
    idle = patient.plant("b")
    (finding,) = patient.doctor.clean_up(dry_run=True)
    assert finding.grade is Grade.WARN
    assert finding.text.startswith(f"{idle} (task of job, task b, exited) serves nobody")
    assert idle in patient.engine.names
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert (finding.grade, finding.text) == (
        Grade.OK,
        f"{idle} (task of job, task b, exited) served nobody: removed",
    )
    assert patient.engine.names == before
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert finding.subject == "containers"


def test_it_is_left_to_a_manager_that_runs(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CERTAIN_AFTER", 0)
    patient.managed()
    idle = patient.plant("b")
    with hold(patient.path):
        (finding,) = patient.doctor.clean_up(dry_run=False)
    assert finding.grade is Grade.WARN
    assert "the manager removes it after 30 s" in finding.text
    assert idle in patient.engine.names


def test_beside_a_manager_what_serves_nobody_at_one_look_only_is_nothing(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.managed()
    idle = patient.plant("b")
    rest = SimpleNamespace(sleep=lambda _: patient.engine.kill(idle))
    monkeypatch.setattr(module, "time", rest)
    say(patient.path, 0)
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert (finding.grade, finding.subject) == (Grade.OK, "containers")


def test_a_manager_that_begins_in_between_is_given_way(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.managed()
    idle = patient.plant("b")
    monkeypatch.setattr(module.daemon, "running", lambda _: False)
    with hold(patient.path):
        (finding,) = patient.doctor.clean_up(dry_run=False)
    assert "the manager removes it" in finding.text
    assert idle in patient.engine.names


def test_where_no_manager_has_run_no_container_can_be_this_homes(patient: Patient) -> None:
    patient.plant("b")
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert finding.grade is Grade.OK
    assert ("containers", "") not in patient.engine.calls
    assert own_id(patient.path) is None
    assert patient.files() == []


def test_the_containers_of_the_home_that_this_one_was_copied_from_are_not_touched(patient: Patient) -> None:
    patient.managed()
    idle = patient.plant("b")
    (patient.path / "home-inode").write_text("1 /the/other/one\n")
    patient.doctor.clean_up(dry_run=False)
    assert idle in patient.engine.names


def test_nothing_is_removed_when_the_journal_can_not_be_read(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes a folder that can't be listed for an empty one removes what runs."""
    patient.managed()
    patient.runs()

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(patient.path / "journal"))

    monkeypatch.setattr(Path, "iterdir", refuse)
    for findings in (patient.found("access"), patient.doctor.clean_up(dry_run=False)):
        (finding,) = findings
        assert finding.grade is Grade.BAD
        assert f"{patient.path / 'journal'}: Permission denied: run this as the user" in finding.text
    assert len(patient.engine.names) == 1


def test_a_container_that_the_engine_does_not_let_go_is_told(patient: Patient) -> None:
    patient.managed()
    patient.plant("b")
    patient.engine.refuse("remove", EngineError("device or resource busy"))
    (finding,) = patient.doctor.clean_up(dry_run=False)
    assert "device or resource busy" in finding.text


def test_a_variable_that_looks_like_a_setting_and_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_HOME", str(tmp_path))
    monkeypatch.setenv("AIR_EXECUTOR_MAX_RUNER", "1")
    monkeypatch.setattr(module, "connect", lambda _: FakeEngine())
    (finding,) = [each for each in module.visit(dry_run=True) if each.subject == "settings"]
    assert finding.grade is Grade.WARN
    assert "did you mean AIR_EXECUTOR_MAX_RUNNERS?" in finding.text


def test_folders_of_mounts_that_are_not_there_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared_mounts, "IN_A_CONTAINER", Path("/nowhere"))
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    data.mkdir()
    declared = {"here": {"path": str(data)}, "gone": {"path": f"{tmp_path}/gone"}, "vol": {"volume": "v"}}
    finding = Patient(home, mounts=declared).one("mounts")
    assert finding.grade is Grade.WARN
    assert finding.text.startswith(f"gone: {tmp_path}/gone is not there")


def test_a_secret_that_can_not_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text('[secrets.db]\nfile = "/nowhere/db"\n')
    monkeypatch.setattr(module, "connect", lambda _: FakeEngine())
    (finding,) = [each for each in module.visit(dry_run=True) if each.subject == "secret"]
    assert finding.grade is Grade.WARN
    assert "'db'" in finding.text and "/nowhere/db: No such file" in finding.text

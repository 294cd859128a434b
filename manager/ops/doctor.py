"""What is wrong with a home folder and around it, and what to do: `air-executor doctor`.

Looking changes nothing. One thing is put right, because nobody else would do it: where no manager runs,
containers of this home that serve nobody are removed.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from air_executor import daemon
from air_executor.clock import utc_now
from air_executor.errors import BadInput
from air_executor.store import Store
from manager.core.live_job import LiveJob
from manager.core.reconcile import CERTAIN_AFTER, orphans
from manager.daemon import declared_mounts
from manager.daemon.disk import MIB, Floor, Free, shortage
from manager.daemon.identity import own_id
from manager.daemon.lock import AlreadyManaged, hold
from manager.engine.connect import connect
from manager.engine.contract import Engine, EngineError, Observation
from manager.engine.host_network import HostNetwork
from manager.folder import acl
from manager.folder.file_events import FileEvents, NoFileEvents
from manager.folder.journal import peek
from manager.folder.secret_values import problems
from manager.folder.usage import Survey
from manager.model.container_spec import JOB, ROLE, TASK, warm_of
from manager.model.home import Home
from manager.settings import OPEN, Settings, load, misspelt

PLENTY_MB = 1024
"""Free space in MiB below which there is a warning."""
SILENCE = 180.0
"""Seconds after which a manager that has said nothing hangs: it speaks once a minute at least."""
SURVEY_PATIENCE = 5.0
"""Seconds for which it is looked who has filled the disk."""
EVENT_PATIENCE = 1.0
"""Seconds in which a file event must come."""
MOST_NAMED = 10
"""Things of a kind that are named; the others are counted."""


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # it works, or will, but somebody should know
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; where it is not well, the text says what to do."""

    grade: Grade
    subject: str
    text: str


def visit(*, dry_run: bool) -> Iterator[Finding]:
    """Look at everything, and remove containers that serve nobody where no manager does.

    `dry_run`: remove nothing, and tell what would be removed.
    """
    try:
        settings = load()
        declared_mounts.check(settings.mounts, settings.home)
    except BadInput as error:
        yield Finding(Grade.BAD, "settings", str(error))
        return
    for complaint in misspelt(os.environ):
        yield Finding(Grade.WARN, "settings", complaint)
    yield from _named(Grade.WARN, "secret", list(problems(settings.secrets)))
    doctor = Doctor(settings, connect(settings))
    yield from doctor.examine()
    yield from doctor.clean_up(dry_run=dry_run)


class Doctor:
    """Looks at the home folder of `settings`, and at the containers that `engine` has of it."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._home = settings.home
        self._engine = engine

    # --- What changes nothing ----------------------------------------------------------------------------

    def examine(self) -> Iterator[Finding]:
        """Look at everything but the containers; each thing is told as soon as it is known."""
        yield from self._home_folder()
        if self._home.is_dir():
            yield self._manager()
            yield self._file_events()
            yield self._sharing()
            yield from self._damaged_journals()
            yield from self._jobs()
        yield from _named(Grade.WARN, "mounts", declared_mounts.missing(self._settings.mounts))
        yield from self._engine_and_image()

    def _home_folder(self) -> Iterator[Finding]:
        home = self._home
        if not home.is_dir():
            what = "is not a folder" if home.exists() else "is not there"
            advice = (
                "the manager and `air-executor create` make it; --home and AIR_EXECUTOR_HOME name another"
            )
            yield Finding(Grade.BAD, "home", f"{home} {what}: {advice}")
            return
        if os.access(home, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(Grade.OK, "home", f"{home} can be read and written")
        else:
            advice = "run this as the user that it belongs to"
            yield Finding(Grade.BAD, "home", f"{home} can't be read and written: {advice}")
        yield self._free_space()

    def _free_space(self) -> Finding:
        floor = Floor(self._settings.min_free_mb, self._settings.min_free_inodes)
        short = shortage(self._home, floor)
        if short is not None:
            advice = f"free some space{self._filled_by()}"
            return Finding(Grade.BAD, "space", f"{short}, so no task is launched: {advice}")
        free = Free.of(self._home).bytes // MIB
        text = f"{free} MiB are free in {self._home}"
        if free < PLENTY_MB:
            advice = f"free some space before it runs out{self._filled_by()}"
            return Finding(Grade.WARN, "space", f"{text}: {advice}")
        return Finding(Grade.OK, "space", text)

    def _filled_by(self) -> str:
        """Who has most of it, as far as can be seen in a moment."""
        survey = Survey(Home(own_id(self._home) or "", self._home), self._settings.job_inodes)
        survey.go_on(SURVEY_PATIENCE)
        return f"; most is used by {survey.words}" if survey.words else ""

    def _manager(self) -> Finding:
        try:
            status = daemon.read_status(self._home)
        except PermissionError as error:
            return _refused(error)
        if status is None or not status.is_running():
            return Finding(Grade.WARN, "manager", "none is running, so jobs wait: start it with `make up`")
        silent = status.silent_for(utc_now())
        if silent > SILENCE:
            advice = f"see the end of {self._home / daemon.LOG}, and start it anew"
            return Finding(Grade.BAD, "manager", f"has said nothing for {silent:.0f} s: {advice}")
        text = f"runs, {status.runners} of {status.max_runners} runners in use, engine: {status.engine}"
        return Finding(Grade.OK, "manager", text)

    def _file_events(self) -> Finding:
        try:
            with TemporaryDirectory(prefix=".doctor-", dir=self._home, ignore_cleanup_errors=True) as folder:
                noticed = _notices_files(Path(folder))
        except OSError as error:
            return Finding(Grade.BAD, "file events", f"can't be tried in {self._home}: {error.strerror}")
        except NoFileEvents as error:
            slow = "jobs are noticed by a look once a second"
            return Finding(Grade.WARN, "file events", f"can't be had: {error}; {slow}")
        if noticed:
            return Finding(Grade.OK, "file events", "come at once")
        slow = f"do not come here: jobs are noticed by a look every {self._settings.poll_interval:g} s"
        advice = "put the home folder on a local disk, or lower poll_interval"
        return Finding(Grade.WARN, "file events", f"{slow}; {advice}")

    def _sharing(self) -> Finding:
        """Tried where work folders are made: that may be a file system of its own."""
        works = Home("", self._home).works
        place = works if works.is_dir() else self._home
        try:
            problem = acl.problem(place)
        except OSError as error:
            text = f"whether tasks of different users can share them can't be tried: {error.strerror}"
            return Finding(Grade.WARN, "work folders", f"{text}: put that right, and run this again")
        if problem is None:
            return Finding(Grade.OK, "work folders", "can be shared by tasks of different users")
        advice = "give all tasks of a job one user, the manager's where that is not root, or move the home"
        return Finding(Grade.WARN, "work folders", f"of {place}, {problem}: {advice}")

    def _damaged_journals(self) -> Iterator[Finding]:
        journal = self._home / "journal"
        try:
            damaged = sorted(name for name in _names(journal) if name.endswith(".damaged"))
        except OSError as error:
            yield _refused(error)
            return
        advice = "its job was not taken up again; look at the job, then remove this file"
        yield from _named(Grade.BAD, "journal", [f"{journal / name}: {advice}" for name in damaged])
        if not damaged:
            yield Finding(Grade.OK, "journal", "none is damaged")

    def _jobs(self) -> Iterator[Finding]:
        looks = [folder.look() for folder in Store(self._home).folders()]
        complaints = [str(look) for look in looks if isinstance(look, BadInput)]
        advice = "; correct the file, or remove the job's folder"
        yield from _named(Grade.BAD, "job", [complaint + advice for complaint in complaints])
        if not complaints:
            yield Finding(Grade.OK, "jobs", f"{len(looks)} in {self._home / 'jobs'}, and all can be read")

    def _engine_and_image(self) -> Iterator[Finding]:
        image = self._settings.runner_image
        try:
            yield Finding(Grade.OK, "engine", f"{self._engine.describe()} answers")
            if self._engine.image_id(image) is not None:
                yield Finding(Grade.OK, "image", f"{image} is here")
                yield self._network()
            else:
                advice = "`make setup` builds the default one, `docker pull` gets others"
                yield Finding(Grade.BAD, "image", f"{image}, the tasks' default image, is not here: {advice}")
            yield from self._confinement()
        except EngineError as error:
            advice = "is it running, may this user use it, does DOCKER_HOST name it? `docker version` tells"
            yield Finding(Grade.BAD, "engine", f"{error}; {advice}")

    def _network(self) -> Finding:
        """Tried with two containers, which are removed again."""
        home = Home(own_id(self._home) or "doctor", self._home)
        network = HostNetwork(self._engine, home, self._settings)
        try:
            network.look()
        except EngineError as error:
            return Finding(Grade.BAD, "network", str(error))
        if network.problem is not None:
            return Finding(Grade.WARN, "network", network.problem)
        egress = self._settings.egress
        beside = "open" if egress == OPEN else ", ".join(egress) or "none"
        apart = f"neither each other nor the host's {len(network.addresses)} addresses nor link-local ones"
        return Finding(Grade.OK, "network", f"jobs reach {apart}; egress beside that: {beside}")

    def _confinement(self) -> Iterator[Finding]:
        found = self._engine.confinement()
        if found.means:
            yield Finding(Grade.OK, "confinement", f"tasks are kept in by {', '.join(found.means)}")
        yield from _named(Grade.WARN, "confinement", list(found.gaps))

    # --- Containers that serve nobody --------------------------------------------------------------------

    def clean_up(self, *, dry_run: bool) -> list[Finding]:
        """Remove the containers that serve nobody, unless there is a manager, which does so itself.

        `dry_run`: remove nothing, and tell which would be.
        """
        try:
            home_id = own_id(self._home)
            if home_id is None:
                none = "no manager has run in this folder yet: none can be its own"
                return [Finding(Grade.OK, "containers", none)]
            found = self._certainly_serving_nobody(home_id)
            if not found:
                return [Finding(Grade.OK, "containers", "none of this home's serves nobody")]
            if daemon.running(self._home):
                return self._left_to_the_manager(found)
            return _left_by_a_dry_run(found) if dry_run else self._removed(home_id, found)
        except EngineError as error:
            return [Finding(Grade.WARN, "containers", f"which serve nobody is not known: {error}")]
        except OSError as error:
            return [_refused(error)]

    def _removed(self, home_id: str, found: list[Observation]) -> list[Finding]:
        try:
            with hold(self._home):
                mine = self._serving_nobody(home_id)  # as it is now that no manager can begin
                for container in mine:
                    self._engine.remove(container.id, home_id)
        except AlreadyManaged:
            return self._left_to_the_manager(found)
        return [Finding(Grade.OK, "container", f"{_words(each)} served nobody: removed") for each in mine]

    def _left_to_the_manager(self, found: list[Observation]) -> list[Finding]:
        when = f"the manager removes it after {self._settings.sweep_after:g} s (setting sweep_after)"
        return [Finding(Grade.WARN, "container", f"{_words(each)} serves nobody: {when}") for each in found]

    def _certainly_serving_nobody(self, home_id: str) -> list[Observation]:
        found = self._serving_nobody(home_id)
        if found and daemon.running(self._home):
            time.sleep(CERTAIN_AFTER)  # beside a manager, one may just begin or end
            still = {each.id for each in self._serving_nobody(home_id)}
            return [each for each in found if each.id in still]
        return found

    def _serving_nobody(self, home_id: str) -> list[Observation]:
        """Raises EngineError; OSError when it can't be known whom they serve."""
        jobs = self._live_jobs()
        containers = self._engine.containers(home_id)
        listed = [each.listed for each in containers]
        # A manager that runs knows which warm containers are its own.
        pool = {warm_of(each.labels) or "" for each in listed} if daemon.running(self._home) else ()
        idle = orphans(listed, jobs, pool)
        return [each for each in containers if each.id in idle]

    def _live_jobs(self) -> dict[str, LiveJob]:
        journal = self._home / "journal"
        if not _names(journal):  # a folder that can't be listed is not an empty one: OSError
            return {}
        limit = self._settings.max_tasks
        jobs = (LiveJob(each.job, each.tasks, each.owner, max_tasks=limit) for each in peek(journal))
        return {job.uid: job for job in jobs}


def _names(folder: Path) -> list[str]:
    """What is in `folder`; nothing where it is not there. Raises OSError where it can't be listed."""
    with suppress(FileNotFoundError):
        return [path.name for path in folder.iterdir()]
    return []


def _notices_files(folder: Path) -> bool:
    with FileEvents() as events:
        events.watch([folder])
        (folder / secrets.token_hex(4)).touch()
        return bool(events.wait(EVENT_PATIENCE))


def _named(grade: Grade, subject: str, texts: list[str]) -> Iterator[Finding]:
    for text in texts[:MOST_NAMED]:
        yield Finding(grade, subject, text)
    if len(texts) > MOST_NAMED:
        yield Finding(grade, subject, f"and {len(texts) - MOST_NAMED} more")


def _left_by_a_dry_run(found: list[Observation]) -> list[Finding]:
    advice = "`air-executor doctor` without --dry-run removes it"
    return [Finding(Grade.WARN, "container", f"{_words(each)} serves nobody: {advice}") for each in found]


def _words(container: Observation) -> str:
    labels = container.labels
    role, job, task = (labels.get(label, "") for label in (ROLE, JOB, TASK))
    of = f" of {job}" + (f", task {task}" if task else "") if job else ""
    return f"{container.name} ({role or 'no role'}{of}, {container.status.value})"


def _refused(error: OSError) -> Finding:
    advice = "run this as the user that the manager runs as"
    return Finding(Grade.BAD, "access", f"{error.filename}: {error.strerror}: {advice}")

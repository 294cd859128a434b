"""Create jobs, follow them, stop them: what the DAG, the command line and users' programs call."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

from air_executor import daemon
from air_executor.clock import utc_now
from air_executor.errors import (
    BadInput,
    JobEnded,
    JobExists,
    JobNotEnded,
    JobNotFound,
    NothingToRetry,
    RequestConflict,
    WaitTimeout,
)
from air_executor.format import layout, names
from air_executor.format.attempts import Cause
from air_executor.format.defaults import filled_in, read_defaults, with_defaults
from air_executor.format.documents import validate
from air_executor.format.graph import check_graph
from air_executor.format.inputs import check_reset
from air_executor.format.models import Job, JobOptions, JobSpec, JobState, JobView, Request, Task, TaskSpec
from air_executor.format.nearest import unknown_field
from air_executor.format.users import Owner
from air_executor.inbox import drop_request
from air_executor.inputs import Content, InputFiles
from air_executor.logs import tail
from air_executor.policy import Policy, check, check_inputs, check_job, check_secrets, check_tasks
from air_executor.store import JobFolder, Store

LOOK_INTERVAL = 0.02
"""Seconds between two looks at a job's files: a few system calls, some 50 µs."""

TaskLike = TaskSpec | Mapping[str, Any]
Files = Mapping[str, Content]
NO_FILES: Files = MappingProxyType({})


class Options(TypedDict, total=False):
    """What a job may say of itself; see docs/jobs/conditions.md."""

    on_failure: str | None
    """`stop` (the default) or `continue`: what becomes of the rest when a task fails."""
    timeout: float | None
    """Seconds that all of it but cleanup may take."""
    priority: int | None
    """Runners go to the job with the higher one first."""
    defaults: Mapping[str, Any] | None
    """Fields for its tasks that do not say them."""
    labels: Mapping[str, str] | None


class Client:
    """The jobs of one home folder.

    `home` is the folder that the manager watches; by default AIR_EXECUTOR_HOME, else `./.air-executor`.
    Nothing here needs a running manager: a job that is created before the manager starts, waits.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        self.store = Store(home)

    def create_job(
        self,
        name: str,
        tasks: Sequence[TaskLike],
        *,
        max_parallel: int | None = None,
        request: Request | None = None,
        files: Files = NO_FILES,
        **options: Unpack[Options],
    ) -> JobView:
        """Create a job; the manager starts it as soon as it sees it.

        `tasks` are TaskSpecs or mappings with their fields. `max_parallel` bounds how many of its tasks
        run at once (1 = one after the other). `files` are put into its `work/` before: by where they go
        there, what is in them (bytes or text), or the path of a file or folder, without following links.
        Raises BadInput, naming the field and the rule, and the operator's setting where that is to be seen;
        JobExists; OSError where one of the files can't be read.
        """
        brought = InputFiles(files)
        view = self._checked(name, tasks, max_parallel, request, brought, options)
        self.store.create(view.job, view.tasks, brought)
        return view

    def check_job(
        self,
        name: str,
        tasks: Sequence[TaskLike],
        *,
        max_parallel: int | None = None,
        files: Files = NO_FILES,
        **options: Unpack[Options],
    ) -> JobView:
        """The job that `create_job` would make of this. Nothing is created; raises what that raises."""
        view = self._checked(name, tasks, max_parallel, None, InputFiles(files), options)
        if self._exists(name):
            raise JobExists(name, self.store.jobs)
        return view

    def _checked(
        self,
        name: str,
        tasks: Sequence[TaskLike],
        max_parallel: int | None,
        request: Request | None,
        files: InputFiles,
        options: Options,
    ) -> JobView:
        names.check_name(name, "job.name")
        said = validate(JobSpec, {"name": name, "max_parallel": max_parallel, **options}, "job")
        specs = read_specs(tasks, said.defaults)
        now = utc_now()
        header = {"id": uuid.uuid4().hex, "created_at": now, "updated_at": now, "request": request}
        own = said.model_dump(exclude={"defaults"}) | {"inputs": files.measured() if files else None}
        job = validate(Job, header | own, "job")
        self._check_allowed(job, specs)
        return JobView(job=job, tasks=tuple(Task.of(spec, name, now) for spec in specs))

    def _check_allowed(self, job: Job, specs: Sequence[TaskSpec]) -> None:
        rules = self.policy()
        if rules is None:
            return
        check_job(job, rules)
        check_tasks(specs, self.store.owner_of_new(), rules)
        if job.inputs is not None:
            check_inputs(job.inputs, rules)

    def policy(self) -> Policy | None:
        """What the operator allows; None where no manager is running, or its words are not ours to read.

        The manager decides when it takes a job, by its rules of that time.
        """
        return daemon.read_policy(self.store.home)

    def submit(
        self,
        name: str,
        tasks: Sequence[TaskLike],
        request: Request,
        *,
        max_parallel: int | None = None,
        files: Files = NO_FILES,
        **options: Unpack[Options],
    ) -> JobView:
        """The job for one Airflow task instance: found again where there is one, else created.

        Asked again by a retry, a live or completed job is returned, and a failed one is followed by a
        fresh job `<name>.2`. A cleared task (a higher `generation`), or one that asks for something else,
        gets a fresh job; a live one before it is cancelled first, so that there are never two.
        Raises RequestConflict when the name belongs to somebody else's job. One that another user of this
        machine has made is that, whatever its files say: they may tell of a success that never was.
        """
        asked = _asked(tasks, options, InputFiles(files))
        request = request.model_copy(update={"digest": asked})
        number = 1
        while True:
            candidate = names.successor(name, number)
            try:
                latest = self._view(candidate)
            except JobNotFound:
                try:
                    return self.create_job(
                        candidate,
                        tasks,
                        max_parallel=max_parallel,
                        request=request,
                        files=files,
                        **options,
                    )
                except JobExists as taken:
                    latest = self._rival(candidate, taken)
            self._check_made_by_this_user(candidate)
            if latest.job.request is None or not latest.job.request.same_instance(request):
                raise RequestConflict(_not_yours(latest.job, self.store.jobs))
            if self._exists(names.successor(name, number + 1)):
                number += 1
                continue
            if _serves(latest, request):
                return latest
            if not latest.state.ended and not self.store.folder(candidate).is_marked(layout.CANCEL):
                with suppress(JobEnded):
                    self.cancel(candidate)
            if not latest.state.ended:
                self.wait(candidate, timeout=60)
            number += 1

    def _check_made_by_this_user(self, name: str) -> None:
        """Nobody else can make a folder that belongs to this user, or write into it."""
        try:
            owner = self.store.folder(name).owner
        except FileNotFoundError:
            raise JobNotFound(name, self.store.jobs) from None
        if owner != os.geteuid():
            raise RequestConflict(
                f"the job {name!r} in {self.store.jobs} was made by user {owner}, and not by user "
                f"{os.geteuid()}, as whom this task runs: it is not taken for this task's; "
                "remove it, or give this task's job another name"
            )

    def _rival(self, name: str, taken: JobExists) -> JobView:
        """The job that somebody else has just made. Raises `taken` where the folder is not a job."""
        try:
            return self._view(name)
        except JobNotFound:
            raise taken from None

    def _exists(self, name: str) -> bool:
        return self.store.folder(name).path.exists()

    def status(self, job: str) -> JobView:
        """The job as it is now. Raises JobNotFound, or BadInput when its files break a rule."""
        return self._view(job)

    def jobs(self) -> Iterator[JobView | BadInput]:
        """Every job, oldest first; a job whose files can't be read comes as the complaint, last."""
        found = [folder.look() for folder in self.store.folders()]
        views = [view for view in found if isinstance(view, JobView)]
        yield from sorted(views, key=lambda view: (view.job.created_at, view.name))
        yield from (complaint for complaint in found if isinstance(complaint, BadInput))

    def wait(
        self,
        job: str,
        timeout: float | None = None,
        *,
        on_change: Callable[[JobView], None] | None = None,
        every: float | None = None,
    ) -> JobView:
        """Wait until the job has ended, and return it, whether it completed or failed.

        An ended job that was asked to run again (`retry`, `reset`) is waited for until it has done so.
        `on_change` is called at once with the first view, whenever something changes, and every `every`
        seconds. Raises JobNotFound, or WaitTimeout after `timeout` seconds, with what to look at.
        """
        folder = self.store.existing(job)
        deadline = None if timeout is None else time.monotonic() + timeout
        seen: object = None
        view: JobView | None = None
        next_report = 0.0
        while True:
            # Asked before the files are read: when nothing is asked any more, they say what came of it.
            again = folder.awaits_manager
            stamp = folder.stamp()
            changed = stamp != seen
            if changed:
                seen, view = stamp, self._read_or_keep(folder, view)
            now = time.monotonic()
            if view is not None and on_change and (changed or (every and now >= next_report)):
                on_change(view)
                next_report = now + (every or 0)
            if view is not None and view.state.ended and not again:
                return view
            if deadline is not None and now >= deadline:
                progress = f"{view.state}, {view.progress}" if view else "its files can't be read yet"
                raise WaitTimeout(job, timeout or 0, progress, daemon.diagnosis(self.store.home))
            time.sleep(LOOK_INTERVAL)

    def _read_or_keep(self, folder: JobFolder, before: JobView | None) -> JobView | None:
        """A hand-written job may be unreadable for a while: its writer or the manager puts that right."""
        try:
            return folder.read()
        except BadInput:
            return before
        except FileNotFoundError:
            if not folder.path.exists():
                raise JobNotFound(folder.name, self.store.jobs) from None
            return before

    def ended(self, job: str) -> JobView:
        """The job, which has ended. Raises JobNotFound; JobNotEnded while it has not."""
        view = self._view(job)
        if not view.state.ended:
            raise JobNotEnded(job, view.state, view.progress)
        return view

    def results(self, job: str) -> JobView:
        """The same, for whoever has waited for it. Raises JobNotFound; or BadInput while it has not ended."""
        try:
            return self.ended(job)
        except JobNotEnded as error:
            raise BadInput(f"job {job!r} has not ended yet ({error.progress}); wait for it first") from None

    def cancel(self, job: str) -> None:
        """Ask for the job to be stopped: its containers get SIGTERM, and SIGKILL after a grace period.

        Its cleanup (`run_if`) still runs; asked a second time, that is stopped as well.
        Returns at once; `wait` tells when it is over. Raises JobNotFound; JobEnded when it has ended.
        """
        folder = self.store.existing(job)
        state = folder.read_job().state
        if state.ended:
            raise JobEnded(job, state)
        folder.request_cancel()

    def retry(self, job: str) -> None:
        """Ask that what failed and what was skipped in an ended job runs again, as new attempts.

        What has completed stays as it is, and so do the records of earlier attempts. Returns at once; `wait`
        tells when it is over.
        Raises JobNotFound, JobNotEnded; NothingToRetry when no further attempt can change how the job ended.
        """
        _check_retry(self.ended(job))
        self.store.ask_again(job, layout.RETRY)

    def reset(self, job: str) -> None:
        """Ask that an ended job starts over: its records, logs and `work/` are deleted.

        A job that was refused for its files is looked at anew. Returns at once; `wait` tells when it is over.
        Raises JobNotFound, JobNotEnded; BadInput for a job that was created with files.
        """
        self.check_reset(job)
        self.store.ask_again(job, layout.RESET)

    def check_reset(self, job: str) -> JobView:
        """The job, which can start over. Raises what `reset` raises."""
        view = self.ended(job)
        check_reset(job, view.job.inputs)
        return view

    def queue(self, job: str, task: TaskLike) -> str:
        """Ask for one more task in a job that has not ended; returns the task's id.

        The manager decides: the job's `requests` say what was accepted, and what was rejected and why.
        Raises BadInput, JobNotFound, JobEnded.
        """
        folder = self.store.existing(job)
        spec = read_spec(task, "task")
        rules = self.policy()
        if rules is not None:
            owner = Owner(folder.owner, self.store.owner_of_new().gid)
            check(spec, owner, rules, "task.")
            check_secrets(spec, owner, rules, "task.")
        drop_request(folder, spec)
        return spec.id

    def log_file(self, job: str, task: str) -> Path:
        """Where the task's output is; there is no such file before the task has begun."""
        return self.store.existing(job).log_file(names.check_name(task, "task id"))

    def log_tail(self, job: str, task: str, lines: int = 20) -> str:
        """The end of the task's output; empty when there is none, a complaint when it can't be shown."""
        folder = self.store.existing(job)
        try:
            with folder.opened_log(names.check_name(task, "task id")) as log:
                return tail(log, lines)
        except FileNotFoundError:
            return ""
        except BadInput as error:
            return f"[{error}]"

    def _view(self, name: str) -> JobView:
        folder = self.store.existing(name)
        try:
            return folder.read()
        except FileNotFoundError:
            raise JobNotFound(name, self.store.jobs) from None


def read_spec(task: TaskLike, field: str) -> TaskSpec:
    """`task` as a TaskSpec. Raises BadInput, naming the place below `field`."""
    return task if isinstance(task, TaskSpec) else validate(TaskSpec, task, field)


def read_specs(tasks: Sequence[TaskLike], defaults: Mapping[str, Any] | None = None) -> list[TaskSpec]:
    """`tasks` as TaskSpecs that make a graph, with what they all take over. Raises BadInput."""
    if isinstance(tasks, str | bytes | Mapping) or not isinstance(tasks, Sequence):
        raise BadInput("must be a list of tasks", field="tasks")
    said = {} if defaults is None else read_defaults(defaults)
    specs = [_filled_in(task, said, f"tasks[{index}]") for index, task in enumerate(tasks)]
    check_graph(specs)
    return specs


def _filled_in(task: TaskLike, defaults: Mapping[str, Any], field: str) -> TaskSpec:
    if not defaults:
        return read_spec(task, field)
    if isinstance(task, Mapping):
        return read_spec(filled_in(task, defaults), field)
    spec = with_defaults(read_spec(task, field), defaults, field)
    spec.check_size(f"{field}.")
    return spec


def read_document(document: Any) -> tuple[JobSpec, list[TaskSpec]]:
    """The job and the tasks of `{"job": {"name": …}, "tasks": […]}`.

    Keys that begin with `_` are comments. Raises BadInput.
    """
    if not isinstance(document, dict):
        raise BadInput('must be an object such as {"job": {"name": "hello"}, "tasks": […]}')
    _refuse_unknown(document)
    job = document.get("job")
    if not isinstance(job, dict):
        raise BadInput('must be an object with the job\'s name, such as {"name": "hello"}', field="job")
    said = validate(JobSpec, job, "job")
    if "tasks" not in document:
        raise BadInput("is missing", field="tasks")
    return said, read_specs(document["tasks"], said.defaults)


def _refuse_unknown(document: dict[str, Any]) -> None:
    known = ("job", "tasks")
    for key in document:
        if key not in known and not key.startswith("_"):
            below = (f"job.{name}" for name in JobSpec.model_fields)
            raise BadInput(unknown_field(key, (*known, *below)), field=key)


def _asked(tasks: Sequence[TaskLike], options: Options, files: InputFiles) -> str:
    """A hash of what is asked for; of the tasks alone, as in older records, where that is all."""
    said = validate(JobOptions, dict(options), "job")
    specs = read_specs(tasks, said.defaults)
    asked = [spec.model_dump(mode="json", exclude_defaults=True) for spec in specs]
    job = said.model_dump(mode="json", exclude_defaults=True, exclude={"defaults"})
    body = json.dumps([*asked, {"job": job}] if job else asked, sort_keys=True)
    if files:
        body += files.digest()
    return hashlib.sha256(body.encode()).hexdigest()


def _serves(latest: JobView, request: Request) -> bool:
    """Whether the job that is there is the answer to `request`."""
    asked = latest.job.request
    if asked is None or asked.generation != request.generation or asked.digest != request.digest:
        return False
    return latest.state != "failed"


def _check_retry(view: JobView) -> None:
    name = view.name
    if view.state is JobState.COMPLETED:
        again = (
            "create it anew under another name: it was created with files, which `reset` would delete"
            if view.job.inputs is not None
            else f"`air-executor reset {name}` starts it over"
        )
        raise NothingToRetry(name, f"it completed; {again}")
    if view.job.failure is not None and _refused(view):
        raise NothingToRetry(
            name,
            f"its files were refused ({view.job.failure.message}); correct them, and "
            f"`air-executor reset {name}` has the manager look at them again",
        )


def _refused(view: JobView) -> bool:
    """Whether the manager never took the job. A bad input that only a task has met may be put right."""
    bad = Cause.BAD_INPUT
    met = any(task.failure and task.failure.cause is bad for task in view.tasks if task.attempts)
    return view.job.failure is not None and view.job.failure.cause is bad and not met


def _not_yours(job: Job, jobs: Path) -> str:
    if job.request is None:
        owner = "was not made by Airflow"
    else:
        asked = job.request
        owner = f"was made for task {asked.task_id!r} of DAG {asked.dag_id!r}, run {asked.run_id!r}"
    return f"the job {job.name!r} in {jobs} {owner}; give this task's job another name"

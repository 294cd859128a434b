"""Wait for a job: report as it comes on, and end when it does."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout

from air_executor import AirExecutorError, BadInput, Client, JobEnded, JobNotFound, JobView, WaitTimeout
from air_executor.airflow.ui import inert

PATIENCE = 10.0
"""Seconds for which a job's files may be unreadable: time for whoever writes them to put that right."""

LOOK = 0.1
"""Seconds between two looks at whether a line of progress is due, or this task was killed."""

Ending = Literal["cancel", "leave"]


class JobSensor(BaseSensorOperator):
    """Wait until a job has ended; *succeeds* whether it completed or failed.

    The results task after it (JobResultsOperator) shows the failure and fails. Returns the job's name.

    - `job`: the job's name (templated), such as the output of a CreateJobOperator.
    - `timeout`: seconds, or a timedelta; 300 by default. When it is over the task fails, without a
      retry, and says what to check.
    - `poke_interval`: seconds between two lines of progress when nothing changes. The end of the job is
      noticed within 0.1 s, whatever this is.
    - `on_kill`: what becomes of the job when this task is killed: `cancel` (default) or `leave`. Airflow
      kills a running task that is marked failed or succeeded, cleared, that runs longer than its
      `execution_timeout`, or whose worker is stopped: choose `leave` when jobs shall outlive those.
    - `on_timeout`: likewise for `timeout`, for which Airflow calls no `on_kill`. `leave` (default): the
      job goes on, and clearing this task goes on waiting for it. `cancel` stops the job.
    - `home`: the folder that the manager watches; by default AIR_EXECUTOR_HOME, else `./.air-executor`.

    When its process or its worker dies instead (SIGKILL, the machine), the job goes on whatever is said
    here, and the next try finds it again: give this task `retries` for that.

    Fails at once when there is no such job, when its folder vanishes, or when its files stay unreadable.
    It holds a worker slot while it waits (`mode="poke"`), so that nothing is lost to polling.
    """

    template_fields: Sequence[str] = ("job", "home")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        job: str,
        timeout: float | timedelta = 300.0,
        poke_interval: float | timedelta = 2.0,
        on_kill: Ending = "cancel",
        on_timeout: Ending = "leave",
        home: str | None = None,
        **kwargs: Any,
    ) -> None:
        for option, value in (("on_kill", on_kill), ("on_timeout", on_timeout)):
            if value not in ("cancel", "leave"):
                raise ValueError(f'{option} must be "cancel" or "leave", not {value!r}')
        super().__init__(timeout=timeout, poke_interval=poke_interval, **kwargs)
        if self.mode != "poke":
            raise ValueError(f'JobSensor knows only mode="poke", not {self.mode!r}')
        self.job = job
        self.when_killed = on_kill
        self.when_timed_out = on_timeout
        self.home = home
        self._killed = False

    def poke(self, context: Context) -> PokeReturnValue:
        """Wait to the end in one go. Airflow's base class adds `soft_fail` and the like."""
        client = Client(self.home)
        reporter = _Reporter(self, client)
        try:
            reporter.check_readable()
            view = client.wait(self.job, self.timeout, on_change=reporter, every=LOOK)
        except WaitTimeout as error:
            advice = inert(f"{error}\n{self._end_after_timeout(client)}")
            for line in advice.splitlines():
                self.log.error("%s", line)
            raise AirflowSensorTimeout(advice) from error
        except JobNotFound as error:
            advice = inert(f"{error}; it was removed, or never created in this folder")
            raise AirflowFailException(advice) from error
        except BadInput as error:
            advice = inert(f"job {self.job!r} can't be followed, its files stay unreadable: {error}")
            raise AirflowFailException(advice) from error
        return PokeReturnValue(is_done=True, xcom_value=view.name)

    def on_kill(self) -> None:
        """Ask for the job's end, and no more: Airflow sends SIGKILL 5 s after SIGTERM.

        Airflow's signal handler returns to what was going on, so the wait ends itself at its next look.
        Source: `_on_term` in `airflow/sdk/execution_time/task_runner.py`, 3.3.2.
        """
        self._killed = True
        if self.when_killed == "leave":
            self.log.info("This task was killed; job %s goes on (on_kill='leave')", inert(self.job))
            return
        self.log.info("This task was killed: cancelling job %s", inert(self.job))
        try:
            Client(self.home).cancel(self.job)
        except (AirExecutorError, OSError) as error:
            self.log.warning("Job %s could not be cancelled: %s", inert(self.job), inert(str(error)))

    def report(self, view: JobView) -> None:
        """Two lines of progress."""
        self.log.info("📊 Job %s state: %s", inert(view.name), view.state.value)
        self.log.info("   Tasks: %s", view.progress)

    def check_alive(self) -> None:
        """Raises AirflowException once this task has been killed."""
        if self._killed:
            raise AirflowException(inert(f"the task that waited for job {self.job!r} was killed"))

    def _end_after_timeout(self, client: Client) -> str:
        if self.when_timed_out == "leave":
            return "The job goes on (on_timeout='leave'): clear this task to wait for it again."
        try:
            client.cancel(self.job)
        except JobEnded as error:
            return str(error)
        return "The job was asked to stop (on_timeout='cancel')."


class _Reporter:
    """Called by Client.wait: at once, at every change of the files, and every LOOK seconds.

    Reports at once when a state or status changes, else every `poke_interval` seconds: the files change
    more often than what there is to say, as when a container was created.
    """

    def __init__(self, sensor: JobSensor, client: Client) -> None:
        self._sensor, self._client = sensor, client
        self._said: object = None
        self._due = 0.0
        self._latest: JobView | None = None
        self._readable_at = time.monotonic()

    def __call__(self, view: JobView) -> None:
        self._sensor.check_alive()
        now = time.monotonic()
        news = (view.state, [task.status for task in view.tasks]) if view is not self._latest else self._said
        if news != self._said or now >= self._due:
            self._sensor.report(view)
            self._said, self._due = news, now + self._sensor.poke_interval
        if view is not self._latest:  # just read, so its files are fine
            self._latest, self._readable_at = view, now
        elif now >= self._readable_at + PATIENCE:
            # Client.wait keeps the last good view while files can't be read: is this job quiet or broken?
            self.check_readable()
            self._readable_at = time.monotonic()

    def check_readable(self) -> None:
        """Raises JobNotFound; BadInput when the job's files stay unreadable for PATIENCE seconds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._client.status(self._sensor.job)
                return
            except BadInput:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.5)

"""Run Airflow's four parts in one container, and end when any of them ends.

`airflow standalone` goes on with what is left when a part dies; here the container ends, so that
Docker's restart policy brings back all of it.

The parts are forked from this process after it has imported Airflow: to import it is a good part of
what starting costs, and so it is paid once.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

import warm_up

MIGRATE = ["db", "migrate"]
PARTS = [
    ["scheduler"],
    ["dag-processor"],
    ["triggerer"],
    ["api-server", "--host", "0.0.0.0", "--port", "8080"],
]
# Docker gives 10 s (stop_grace_period): what has not ended by then is killed here first.
GRACE = 7.0
HOME = Path(os.environ["AIRFLOW_HOME"])
READY = HOME / "ready"

# Process id -> the part that it is.
running: dict[int, str] = {}


class Stop(Exception):
    """Docker (or a person) asked this container to stop."""


def on_signal(_number: int, _frame: FrameType | None) -> None:
    raise Stop


def on_stop(handler: signal.Handlers | Callable[[int, FrameType | None], None]) -> None:
    """What SIGTERM and SIGINT do from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def tell(line: str) -> None:
    print(f"supervise: {line}", flush=True)


def start(arguments: list[str]) -> int:
    """Run the airflow command with these arguments in a process group of its own."""
    pid = os.fork()
    if pid == 0:
        become(arguments)
    running[pid] = arguments[0]
    return pid


def become(arguments: list[str]) -> NoReturn:
    on_stop(signal.SIG_DFL)
    os.setsid()
    code: object = 1
    try:
        from airflow.__main__ import main
        from setproctitle import setproctitle

        setproctitle(f"airflow {arguments[0]}")
        sys.argv = ["airflow", *arguments]
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def next_end() -> tuple[str, int]:
    """Wait until a part ends: which one, and its exit code."""
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    # Whatever it has left behind goes before its id can be given to another.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(ended.si_pid, signal.SIGKILL)
    _, status = os.waitpid(ended.si_pid, 0)
    return running.pop(ended.si_pid), os.waitstatus_to_exitcode(status)


def kill_all(*_: object) -> None:
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def stop_all() -> None:
    """Ask all parts to end, and insist when the time is up."""
    for pid in running:
        os.kill(pid, signal.SIGTERM)
    signal.signal(signal.SIGALRM, kill_all)
    signal.setitimer(signal.ITIMER_REAL, GRACE)
    while running:
        next_end()


def prepare() -> None:
    READY.unlink(missing_ok=True)
    # A killed container leaves them behind; a part that finds its own would not start.
    for stale in HOME.glob("*.pid"):
        stale.unlink()
    import airflow.__main__
    import airflow.api_fastapi.app
    import airflow.jobs.dag_processor_job_runner
    import airflow.jobs.scheduler_job_runner
    import airflow.jobs.triggerer_job_runner  # noqa: F401

    # Pages that nobody writes stay shared with the forked parts.
    gc.freeze()


def get_ready() -> None:
    """Let the first task after a start be ours; the health check waits for it, within bounds."""
    try:
        warm_up.run()
        warm_up.remove_traces(seconds=10)
        tell("warmed up")
        READY.touch()
    except (OSError, KeyError) as problem:
        # Being slow once is no reason to be unhealthy.
        tell(f"the warm-up was given up: {problem}")
        READY.touch()
        with contextlib.suppress(OSError):
            warm_up.remove_traces(seconds=900)


def main() -> int:
    on_stop(on_signal)
    try:
        prepare()
        start(MIGRATE)
        _, code = next_end()
        if code:
            tell("the database could not be prepared; see above")
            return 1
        for part in PARTS:
            start(part)
        threading.Thread(target=get_ready, daemon=True).start()
        name, code = next_end()
        tell(f"{name} ended with {code}; ending with it, to be started again")
        return 1
    except Stop:
        tell("stopping")
        return 0
    finally:
        on_stop(signal.SIG_IGN)
        stop_all()


if __name__ == "__main__":
    sys.exit(main())

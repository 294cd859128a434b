"""Wiring; the only module that names concrete classes."""

import logging
import logging.handlers
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from air_executor.errors import AirExecutorError
from air_executor.store import Store
from manager.daemon import identity
from manager.daemon.heartbeat import Heartbeat
from manager.daemon.lock import AlreadyManaged, hold
from manager.engine.connect import connect
from manager.engine.pulls import Pulls
from manager.folder.journal import Journal
from manager.folder.publisher import Publisher
from manager.folder.watcher import Watcher
from manager.folder.workspace import owner_of
from manager.model.facts import Fact
from manager.model.home import Home
from manager.runtime.engine_monitor import EngineMonitor
from manager.runtime.supervisor import Supervisor
from manager.runtime.workers import Workers
from manager.settings import Settings, load

log = logging.getLogger(__name__)

LOG_BYTES = 10 << 20
LOG_FILES = 5
FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s"


def main() -> int:
    """Run the manager until SIGTERM or SIGINT. Returns the process's exit code."""
    try:
        settings = load()
        settings.home.mkdir(parents=True, exist_ok=True)
        _allow_many_files()
        with hold(settings.home), _logging(settings.home):
            run(settings)
    except (AirExecutorError, AlreadyManaged) as error:
        print(f"air-executor manager: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"air-executor manager: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def run(settings: Settings) -> None:
    """Wire the parts together, and work until a signal comes."""
    store = Store(settings.home)
    home = Home(identity.identify(settings.home), settings.home)
    facts: queue.SimpleQueue[Fact] = queue.SimpleQueue()
    pulls = Pulls()
    engine = connect(settings, pulls.tell)
    journal = Journal(home.journal)
    publisher = Publisher(facts.put)
    watcher = Watcher(store, settings, facts.put)
    workers = Workers(engine, home, settings, facts.put)
    monitor = EngineMonitor(engine, home, settings, facts.put)
    heartbeat = Heartbeat(settings.home, settings.max_runners, lambda: monitor.description, pulls.texts)
    supervisor = Supervisor(
        store=store,
        settings=settings,
        home=home,
        usual_owner=owner_of(settings.home),
        journal=journal,
        publisher=publisher,
        watcher=watcher,
        workers=workers,
        facts=facts,
        on_change=heartbeat.update,
        on_tick=monitor.wake,
    )
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: supervisor.stop())
    log.info("manager started for %s, %d runners", settings.home, settings.max_runners)
    journal.forget_all_but({folder.name for folder in store.folders()})
    supervisor.restore(journal.remembered())
    for part in (publisher, workers, monitor, watcher):
        part.start()
    try:
        supervisor.run()
    finally:
        watcher.stop()
        monitor.stop()
        workers.discard_all_warm(supervisor.pool, timeout=3)
        workers.stop()
        publisher.stop(timeout=5)
        journal.close()
        heartbeat.stop()
        log.info("manager stopped; %d containers go on", supervisor.runners)


class _LogFile(logging.handlers.RotatingFileHandler):
    """Looks at its size only: the usual one formats each line twice and asks the disk twice, to know it."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - its name is given
        return self.stream is not None and self.stream.seekable() and self.stream.tell() >= self.maxBytes


def _allow_many_files() -> None:
    """Each live job has a journal that is open, each running task a log and connections to the engine."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _logging(home: Path) -> Iterator[None]:
    """Log to `manager.log`, rotated, and to standard output; times are UTC."""
    formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    logging.raiseExceptions = False  # a log that can't be written is no reason for a traceback
    # Not in the format, and so not to be found out for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    file = _LogFile(home / "manager.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1)
    handlers: list[logging.Handler] = [file, logging.StreamHandler(sys.stdout)]
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    logging.getLogger("manager").setLevel(logging.INFO)
    threading.excepthook = lambda args: log.critical("thread %s", args.thread, exc_info=args.exc_value)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


if __name__ == "__main__":
    sys.exit(main())

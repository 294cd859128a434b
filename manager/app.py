"""Wiring: the one module that names the concrete classes of all parts, and puts them together."""

import logging
import os
import queue
import resource
import secrets
import signal
import sys
from collections.abc import Callable
from functools import partial

from air_executor.errors import AirExecutorError
from air_executor.store import Store
from manager.core.scheduler import Scheduler
from manager.core.warm_pool import WarmPool
from manager.daemon import crash, declared_mounts, identity, own_folders
from manager.daemon.disk import MIB, Disk, Floor
from manager.daemon.heartbeat import Heartbeat
from manager.daemon.lock import AlreadyManaged, hold
from manager.daemon.log_file import logging_to
from manager.daemon.policy_file import publish
from manager.daemon.readers import readers_of
from manager.daemon.reserve import Reserve
from manager.engine.connect import connect
from manager.engine.contract import Engine
from manager.engine.host_network import HostNetwork
from manager.engine.pulls import Pulls
from manager.engine.retry import Retry
from manager.folder import acl
from manager.folder.inbox import Inboxes
from manager.folder.journal import Journal
from manager.folder.pace import Pace
from manager.folder.publisher import Publisher
from manager.folder.secret_values import problems
from manager.folder.watcher import Watcher
from manager.gates.end_listener import EndListener
from manager.gates.gatekeeper import Gatekeeper
from manager.gates.probe import Probe
from manager.gates.regulars import regulars
from manager.gates.secret_keeper import SecretKeeper
from manager.gates.warm_keeper import WarmKeeper
from manager.model import containers
from manager.model.facts import Fact
from manager.model.home import Home
from manager.model.values import Sharing
from manager.runtime import event_log
from manager.runtime.acts import Acts
from manager.runtime.admitter import Admitter
from manager.runtime.disk_watch import DiskWatch
from manager.runtime.dispatcher import Dispatcher
from manager.runtime.engine_monitor import EngineMonitor
from manager.runtime.fetcher import Fetcher
from manager.runtime.follower import Follower
from manager.runtime.reconciler import Reconciler
from manager.runtime.recorder import Recorder
from manager.runtime.supervisor import Supervisor
from manager.runtime.timers import Timers
from manager.runtime.workers import Workers
from manager.settings import Settings, load, misspelt

log = logging.getLogger(__name__)


class Manager:
    """All parts of a manager, for one home folder and one engine.

    `on_change` is told how many runners are busy, and why work stands still, if it does; `on_rules`, by which
    settings jobs are taken, when the engine's host has a part in them.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        engine: Engine,
        on_change: Callable[[int, str | None], None],
        on_rules: Callable[[Settings], None],
    ) -> None:
        own_folders.secure(home.path)
        self.facts: queue.SimpleQueue[Fact] = queue.SimpleQueue()
        emit, store = self.facts.put, Store(home.path)
        self.reserve = Reserve(home.reserve, settings.reserve_mb * MIB)
        self.journal = Journal(home.journal, self.reserve)
        self.publisher = Publisher(emit, self.reserve)
        inboxes = Inboxes()
        self.watcher = Watcher(store, settings, inboxes, emit)
        network = HostNetwork(engine, home, settings)
        self.monitor = EngineMonitor(engine, home, Probe(engine, home, settings), network, settings, emit)

        retry = Retry(emit)
        self.workers = Workers(retry)
        pace = Pace(settings.job_inodes, retry.sleep)
        self.keeper = WarmKeeper(engine, home, settings, network, retry, pace)
        kept = SecretKeeper(settings.secrets)
        self.ends = EndListener(kept, emit)
        gatekeeper = Gatekeeper(engine, home.id, self.keeper, self.ends, kept, retry)
        acts = Acts(engine, home, network, gatekeeper, retry, pace, emit)
        follower = Follower(engine, gatekeeper, kept, retry, inboxes, self.workers.run_alone, pace, emit)
        timers = Timers(emit)
        fetcher = Fetcher(engine, retry, self.workers.run_alone, emit)
        dispatcher = Dispatcher(
            settings, home, timers, self.workers, acts, follower, self.keeper, fetcher, emit
        )

        disk = Disk(home.path, Floor(settings.min_free_mb, settings.min_free_inodes))
        self.disk_watch = DiskWatch(home, settings, disk, self.reserve, emit)

        sharing = Sharing(os.geteuid(), _no_lists(home))
        self.pool = WarmPool(settings, _fresh_name, regulars(home, settings, sharing))
        self.scheduler = Scheduler(home.id, settings, self.pool)
        self.supervisor = Supervisor(
            settings=settings,
            home=home,
            facts=self.facts,
            timers=timers,
            watcher=self.watcher,
            admitter=Admitter(store, home, settings, self.journal, self.publisher, sharing),
            scheduler=self.scheduler,
            recorder=Recorder(home, self.journal, self.publisher),
            dispatcher=dispatcher,
            reconciler=Reconciler(settings, self.pool, dispatcher, self.monitor.wake),
            disk=disk,
            observers=[event_log.report, self.disk_watch.observe],
            on_change=on_change,
            on_rules=on_rules,
        )
        self._store = store

    def start(self) -> None:
        """Take up what the journals tell of, and begin to look, to listen and to write."""
        self.journal.forget_all_but({folder.name for folder in self._store.folders()})
        self.supervisor.restore(self.journal.remembered())
        for job in self.supervisor.jobs:
            self.disk_watch.follow(job)
        for part in (self.disk_watch, self.publisher, self.ends, self.workers, self.monitor, self.watcher):
            part.start()

    def run(self) -> None:
        """Work until the supervisor is told to stop."""
        self.supervisor.run()

    def stop(self) -> None:
        """Throw away what waits for nobody yet, and write what is to be written; tasks go on."""
        self.watcher.stop()
        self.monitor.stop()
        self.keeper.discard_all(self.pool.names, timeout=3)
        self.abandon()

    def abandon(self) -> None:
        """Leave everything as it is, but for views: what waits for nobody is left to the next manager."""
        self.disk_watch.stop()
        self.watcher.stop()
        self.monitor.stop()
        self.workers.stop()
        self.publisher.stop(timeout=5)
        self.journal.close()


def main() -> int:
    """Run the manager until SIGTERM or SIGINT. Returns the process's exit code."""
    try:
        settings = load()
        mounts = declared_mounts.check(settings.mounts, settings.home)
        settings = settings.model_copy(update={"mounts": mounts})
        settings.home.mkdir(parents=True, exist_ok=True)
        _allow_many_files()
        readers = partial(readers_of, settings.home, settings.readers_group)
        with hold(settings.home), logging_to(settings.home, readers), crash.vital_threads():
            return run(settings)
    except (AirExecutorError, AlreadyManaged) as error:
        print(f"air-executor manager: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"air-executor manager: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1


def run(settings: Settings) -> int:
    """Work until a signal comes. Returns the process's exit code."""
    home = Home(identity.identify(settings.home), settings.home)
    pulls = Pulls()
    heartbeat = Heartbeat(
        settings.home,
        settings.max_runners,
        lambda: manager.monitor.description,
        pulls.texts,
        partial(readers_of, settings.home, settings.readers_group),
        lambda write: manager.reserve.spend_on_new(write),
    )

    def tell_rules(rules: Settings) -> None:
        publish(settings.home, rules, readers_of(settings.home, settings.readers_group))

    manager = Manager(settings, home, connect(settings, pulls.tell), heartbeat.update, tell_rules)
    tell_rules(settings)
    heartbeat.start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: manager.supervisor.stop())
    for complaint in (*misspelt(os.environ), *problems(settings.secrets)):
        log.warning("%s", complaint)
    log.info("manager started for %s, %d runners", settings.home, settings.max_runners)
    manager.start()
    try:
        manager.run()
    except Exception:
        log.critical("the loop has died, and the manager ends with it", exc_info=True)
        return crash.EXIT_CODE
    finally:
        manager.stop()
        heartbeat.stop()
        log.info("manager stopped; %d containers go on", manager.supervisor.runners)
    return 0


def _fresh_name() -> str:
    return containers.warm_name(secrets.token_hex(5))


def _no_lists(home: Home) -> str | None:
    """Why work folders can't be opened to several users. What nobody can tell now, each job will be told."""
    try:
        return acl.problem(home.works)
    except OSError as error:
        log.warning("whether %s has access control lists can't be tried: %s", home.works, error.strerror)
        return None


def _allow_many_files() -> None:
    """Each live job has a journal that is open, each running task a log and connections to the engine."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())

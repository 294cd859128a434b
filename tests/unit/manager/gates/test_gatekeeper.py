"""What becomes of a container that waits at its gate: opened, replaced, or lost; also where receipts lie."""

import calendar
import errno
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from air_executor.clock import utc_now
from air_executor.format.attempts import Attempt, Container, Phase, Timings
from manager.engine.contract import EngineError, EngineUnavailable, Status
from manager.engine.retry import Retry, Stopped
from manager.gates import gate_folder, protocol
from manager.gates.end_listener import EndListener
from manager.gates.gatekeeper import Gatekeeper, _nonce
from manager.gates.warm_keeper import WarmKeeper
from manager.model import containers
from manager.model.assignment import Act
from manager.model.facts import ContainerExited, ContainerLost, ContainerStarted, ContainerVoided
from manager.model.home import CONTROL, END, FIFO, RECEIPT, TOKEN, Home
from tests.fakes.engine import FakeEngine, Program
from tests.fakes.manager import HOME_ID
from tests.unit.manager.builders import container, granted, key, network, settings, task
from tests.waiting import until

KEY = key("b")
AGO = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes late is waited for, however busy this machine is; the engine is asked soon."""
    for name, value in (("AT_ONCE", 0.05), ("LATE", 60.0), ("LEAVING", 60.0)):
        monkeypatch.setattr(f"manager.gates.gatekeeper.{name}", value)
    monkeypatch.setattr("manager.engine.retry.LONGEST_PAUSE", 0.05)


@pytest.fixture
def hasty(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a gate, or its container, that would be waited for in vain."""
    for name, value in (("LATE", 0.3), ("LEAVING", 0.2)):
        monkeypatch.setattr(f"manager.gates.gatekeeper.{name}", value)


IN_VAIN = pytest.mark.usefixtures("hasty")


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    made = FakeEngine({("say", "hello world", "é", ""): Program(output=b"hello\n")})
    yield made
    made.check()


@pytest.fixture
def act(tmp_path: Path) -> Act:
    return an_act(tmp_path)


@pytest.fixture
def keeper(engine: FakeEngine, act: Act) -> Gatekeeper:
    """With the folders of the gate made, and a container that has waited for a minute."""
    made = a_keeper(engine, act)
    made.prepare(act)
    return made


def a_keeper(engine: FakeEngine, act: Act, retry: Retry | None = None) -> Gatekeeper:
    retry = retry or Retry(lambda fact: None)
    home_folder = act.gate.path.parent.parent
    rules = settings(home_folder)
    pool = WarmKeeper(engine, Home(HOME_ID, home_folder), rules, retry)
    return Gatekeeper(engine, HOME_ID, pool, EndListener(lambda fact: None), retry)


def an_act(home_folder: Path, *words: str, incarnation: int = 1) -> Act:
    """A task whose turn has come, and whose container waits."""
    home = Home(HOME_ID, home_folder)
    (home_folder / "gates").mkdir(exist_ok=True)
    command, *args = words or ("true",)
    bare = task("b", "a", command=command, args=args)
    folder = home_folder / "jobs" / "job"
    of = KEY._replace(incarnation=incarnation)
    spec = container(bare, of, folder, home=home)
    began = utc_now() - AGO
    attempt = Attempt(
        number=1,
        incarnation=incarnation,
        phase=Phase.WAITING,
        start="ahead",
        container=Container(name=spec.name, image=spec.image),
        timings=Timings(created_at=began, container_started_at=began, ready_at=began + AGO / 2),
    )
    whole = bare.model_copy(update={"attempts": (attempt,)})
    return Act(of, folder, whole, granted(bare), containers.gated(spec, home), home.gate(spec.name), None)


def plant(engine: FakeEngine, act: Act, status: Status = Status.RUNNING, **state: object) -> str:
    """The container of `act`, in some state, with nobody in it who would answer."""
    times: dict[str, object] = {"started_at": utc_now() - AGO, "gate_shut": True}
    if status is Status.EXITED:
        times |= {"finished_at": utc_now(), "exit_code": 75}
    return engine.plant(act.spec, **(times | {"status": status} | state))


def at_its_gate(engine: FakeEngine, act: Act) -> None:
    """A container of `act` that really waits, as far as a fake's does."""
    for mount in act.spec.mounts:
        if not mount.target.startswith(containers.GATE_PLACE):
            Path(mount.source).mkdir(parents=True, exist_ok=True)
    program = Home(HOME_ID, act.gate.path.parent.parent).gate_program
    program.parent.mkdir(exist_ok=True)
    program.touch()
    engine.create(act.spec, network(home=Home(HOME_ID, act.gate.path.parent.parent)))
    engine.start(act.spec.name)


def says(act: Act, *lines: str, opened: bool = True) -> None:
    """Write the receipt of a gate, opened or not; N stands for the nonce, T for the token."""
    if opened:
        hand_over(act)
    token = act.gate.token.read_text()
    text = "".join(f"{line}\n" for line in lines)
    text = text.replace(" N ", f" {_nonce(act)} ").replace(" T ", f" {token} ")
    (act.gate.receipt / "new").write_text(text)
    (act.gate.receipt / "new").rename(act.gate.receipt / gate_folder.RECEIPT)


def began_at(moment: datetime) -> str:
    return f"BEGAN N {calendar.timegm(moment.utctimetuple())}.{moment.microsecond:06}000"


def hand_over(act: Act) -> None:
    """A manager has done so, and taken away the token and the FIFO."""
    for name in (TOKEN, END, FIFO):
        (act.gate.control / name).unlink(missing_ok=True)


def there(engine: FakeEngine, act: Act) -> bool:
    return act.spec.name in engine.names


def is_void(fact: object, engine: FakeEngine, act: Act) -> None:
    """Nothing is left of it."""
    assert isinstance(fact, ContainerVoided)
    assert fact.key == KEY
    assert not there(engine, act)
    assert not act.gate.path.exists()


class TestAGateThatOpens:
    def test_gets_its_whole_command_once(self, tmp_path: Path, engine: FakeEngine) -> None:
        act = an_act(tmp_path, "say", "hello world", "é", "")
        keeper = a_keeper(engine, act)
        keeper.prepare(act)
        at_its_gate(engine, act)
        before = utc_now()
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted)
        assert before <= fact.started_at <= fact.at <= utc_now()
        assert fact.instant is not None
        assert not act.gate.fifo.exists()
        assert engine.executions == [("job", "b", 1)]

    def test_is_not_opened_again(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        at_its_gate(engine, act)
        first, second = keeper.open(act), keeper.open(act)
        assert isinstance(first, ContainerStarted) and isinstance(second, ContainerStarted)
        assert first.started_at == second.started_at
        assert engine.executions == [("job", "b", 1)]

    def test_may_take_its_time(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        """Handed over at once; the receipt comes when the engine was asked already."""
        plant(engine, act)
        hand_over(act)
        moment = utc_now()
        slow = threading.Timer(0.15, says, [act, began_at(moment)])
        slow.start()
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted)
        assert fact.started_at == moment
        slow.join()

    def test_may_have_its_reader_late(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        """The container runs, and its gate is not there yet: a machine that is busy."""
        plant(engine, act)
        heard: list[bytes] = []

        def late() -> None:
            with act.gate.fifo.open("rb") as fifo:
                heard.append(fifo.read())
            says(act, began_at(utc_now()))

        slow = threading.Timer(0.1, late)
        slow.start()
        assert isinstance(keeper.open(act), ContainerStarted)
        slow.join()
        assert heard == [protocol.frame(_nonce(act), "", ("true",), {})]

    def test_began_when_it_says(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        plant(engine, act)
        moment = utc_now() - timedelta(seconds=5)
        says(act, began_at(moment))
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted) and fact.started_at == moment

    def test_did_not_begin_in_the_future(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        plant(engine, act)
        says(act, began_at(utc_now() + timedelta(days=365)))
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted) and fact.started_at <= fact.at <= utc_now()

    def test_did_not_begin_before_its_container(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        says(act, "BEGAN N 1.000000000")
        fact = keeper.open(act)
        earliest = act.attempt.timings.container_started_at
        assert isinstance(fact, ContainerStarted) and earliest is not None
        assert earliest <= fact.started_at <= utc_now()

    def test_did_not_begin_before_its_turn(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        """Nobody opens it before that, whatever it says."""
        plant(engine, act)
        says(act, "BEGAN N 1.000000000")
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted) and act.attempt.timings.ready_at is not None
        assert fact.started_at >= act.attempt.timings.ready_at

    def test_of_a_container_that_ended_meanwhile_has_begun(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        """Its outcome is found by who watches it."""
        plant(engine, act, Status.EXITED, exit_code=0)
        says(act, began_at(utc_now()))
        assert isinstance(keeper.open(act), ContainerStarted)
        assert there(engine, act)


class TestAGateThatSaysNever:
    @pytest.mark.parametrize("reason", ["told", "patience", "short", "malformed", "unfit"])
    @pytest.mark.parametrize("code", [0, 75, 137])
    def test_is_believed_when_it_knows_the_token(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, reason: str, code: int
    ) -> None:
        """However its process was ended after that: nothing was run."""
        plant(engine, act, Status.EXITED, exit_code=code)
        says(act, f"NEVER T {reason}")
        is_void(keeper.open(act), engine, act)

    @pytest.mark.parametrize("runs", [True, False])
    def test_is_believed_before_it_has_left_and_after_it_is_gone(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch, runs: bool
    ) -> None:
        if runs:
            plant(engine, act)
        says(act, "NEVER T short")
        monkeypatch.setattr("manager.gates.gatekeeper.LEAVING", 60.0)
        is_void(keeper.open(act), engine, act)

    def test_is_believed_by_the_manager_after_this_one(self, engine: FakeEngine, act: Act) -> None:
        a_keeper(engine, act).prepare(act)
        plant(engine, act, Status.EXITED)
        says(act, "NEVER T short")
        is_void(a_keeper(engine, act).open(act), engine, act)

    @pytest.mark.parametrize("said", ["-", "N", "other"])
    @pytest.mark.parametrize("code", [0, 1, 74, 75, 76, 127, 137])
    def test_is_a_task_that_lies_when_it_does_not_know_the_token(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, said: str, code: int
    ) -> None:
        """Also where it ends as gates do (75)."""
        plant(engine, act, Status.EXITED, exit_code=code)
        says(act, f"NEVER {said} told")
        assert isinstance(keeper.open(act), ContainerStarted)
        assert there(engine, act), "its outcome counts"

    def test_is_a_task_that_lies_when_it_says_the_token_of_another_gate(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, tmp_path: Path
    ) -> None:
        other = an_act(tmp_path, incarnation=2)
        keeper.prepare(other)
        plant(engine, act, Status.EXITED)
        says(act, f"NEVER {other.gate.token.read_text()} told")
        assert isinstance(keeper.open(act), ContainerStarted)

    def test_is_a_task_that_lies_when_nobody_knows_the_token_any_more(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act, Status.EXITED)
        says(act, "NEVER T told")
        act.gate.token.unlink()
        assert isinstance(keeper.open(act), ContainerStarted)

    @IN_VAIN
    def test_is_a_task_that_lies_when_it_goes_on_running(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        says(act, "NEVER N told")
        assert isinstance(keeper.open(act), ContainerStarted)
        assert there(engine, act)

    def test_is_a_task_that_lies_and_is_lost_when_its_container_is_gone(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        says(act, "NEVER N told")
        assert isinstance(keeper.open(act), ContainerLost)

    def test_is_void_where_nobody_had_opened_it(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act, Status.EXITED)
        says(act, "NEVER T patience", opened=False)
        is_void(keeper.open(act), engine, act)


class TestAReceiptOfSomebodyElse:
    @pytest.mark.parametrize("line", ["BEGAN other 5.000000000", "UNUSABLE other missing"])
    def test_does_not_keep_a_container_from_being_lost(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, line: str
    ) -> None:
        plant(engine, act, Status.EXITED)
        says(act, line)
        assert isinstance(keeper.open(act), ContainerLost)

    @pytest.mark.parametrize("line", ["BEGAN other 5.000000000", "UNUSABLE other missing"])
    def test_does_not_keep_a_container_that_nobody_opened_from_being_void(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, line: str
    ) -> None:
        plant(engine, act, Status.EXITED)
        says(act, line, opened=False)
        is_void(keeper.open(act), engine, act)

    def test_is_not_the_reason_why_a_command_could_not_be_executed(
        self, act: Act, keeper: Gatekeeper
    ) -> None:
        says(act, "BEGAN other 5.000000000", "FAILED other 8")
        assert keeper.unusable(act, ended(act, 126)) is None


class TestAGateThatSaysNothing:
    @IN_VAIN
    def test_has_begun_where_it_runs_and_was_handed_its_command(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        hand_over(act)
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted)
        assert fact.started_at <= fact.at <= utc_now()
        assert there(engine, act)

    @IN_VAIN
    def test_did_not_begin_before_its_turn(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        plant(engine, act)
        hand_over(act)
        fact = keeper.open(act)
        assert isinstance(fact, ContainerStarted) and act.attempt.timings.ready_at is not None
        assert fact.started_at >= act.attempt.timings.ready_at

    @IN_VAIN
    def test_is_void_where_it_runs_and_takes_no_command(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        is_void(keeper.open(act), engine, act)

    @IN_VAIN
    def test_is_void_where_the_engine_has_forgotten_that_it_was_started(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act, Status.CREATED, started_at=None)
        is_void(keeper.open(act), engine, act)

    @pytest.mark.parametrize("code", [0, 74, 75, 137])
    def test_is_void_where_it_has_ended_and_nobody_had_opened_it(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, code: int
    ) -> None:
        plant(engine, act, Status.EXITED, exit_code=code)
        is_void(keeper.open(act), engine, act)

    def test_is_void_where_it_is_gone_and_nobody_had_opened_it(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        is_void(keeper.open(act), engine, act)

    def test_is_void_where_it_has_left_in_the_middle_of_its_command(
        self, tmp_path: Path, engine: FakeEngine
    ) -> None:
        """The FIFO is gone, but no gate begins by a part."""
        act = an_act(tmp_path, "say", "x" * 200_000)
        keeper = a_keeper(engine, act)
        keeper.prepare(act)
        plant(engine, act)

        def leave() -> None:
            with act.gate.fifo.open("rb", buffering=0) as fifo:
                fifo.read(10)

        reader = threading.Thread(target=leave)
        reader.start()
        is_void(keeper.open(act), engine, act)
        reader.join()

    def test_is_lost_where_its_folders_are_gone_as_well(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        """Nobody knows any more whether it was opened."""
        plant(engine, act, Status.EXITED)
        keeper.clear(act)
        assert isinstance(keeper.open(act), ContainerLost)

    def test_is_void_where_its_container_is_gone_with_its_folders(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        """So it was left by a manager that had no time to write that down."""
        keeper.clear(act)
        is_void(keeper.open(act), engine, act)

    @IN_VAIN
    def test_has_begun_where_it_runs_and_its_folders_are_gone(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        keeper.clear(act)
        assert isinstance(keeper.open(act), ContainerStarted)
        assert there(engine, act)

    @pytest.mark.parametrize("status", [Status.EXITED, None])
    def test_is_lost_where_it_was_opened_and_is_over(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, status: Status | None
    ) -> None:
        if status is not None:
            plant(engine, act, status)
        hand_over(act)
        fact = keeper.open(act)
        assert isinstance(fact, ContainerLost)
        assert (fact.key, act.spec.name in fact.message) == (KEY, True)


UNUSABLE = [
    ("missing", 127, "there is no command 'true' in the image"),
    ("denied", 126, "the command 'true' is not executable"),
    ("workdir", 126, "the working directory '/work' can't be used"),
]


class TestACommandThatCanNotBeUsed:
    @pytest.mark.parametrize(("problem", "code", "words"), UNUSABLE)
    def test_is_the_tasks_failure(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, problem: str, code: int, words: str
    ) -> None:
        plant(engine, act, Status.EXITED, exit_code=code)
        says(act, f"UNUSABLE N {problem}")
        fact = keeper.open(act)
        assert isinstance(fact, ContainerExited)
        outcome = fact.result
        assert (outcome.exit_code, outcome.unusable_command, outcome.oom_killed) == (code, words, False)
        assert outcome.started_at <= outcome.finished_at <= utc_now()

    def test_is_seen_by_the_engine_as_well_before_it_is_told(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        """What is told as the end of a container is followed by its removal."""
        plant(engine, act, Status.EXITED, exit_code=127, gate_shut=False)
        says(act, "UNUSABLE N missing")
        assert isinstance(keeper.open(act), ContainerExited)
        engine.remove(act.spec.name, HOME_ID)

    @pytest.mark.parametrize("code", [0, 1, 75, 126, 137])
    def test_is_a_task_that_lies_when_it_has_ended_otherwise(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, code: int
    ) -> None:
        plant(engine, act, Status.EXITED, exit_code=code)
        says(act, "UNUSABLE N missing")
        assert isinstance(keeper.open(act), ContainerStarted)

    @IN_VAIN
    def test_is_a_task_that_lies_when_it_goes_on_running(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        says(act, "UNUSABLE N missing")
        assert isinstance(keeper.open(act), ContainerStarted)

    def test_may_be_found_at_the_last_moment(self, act: Act, keeper: Gatekeeper) -> None:
        says(act, "BEGAN N 5.000000000", f"FAILED {_nonce(act)} 8")
        assert keeper.unusable(act, ended(act, 126)) == "the command 'true' is not executable"

    @pytest.mark.parametrize(
        ("code", "lines"),
        [
            (126, ["BEGAN N 5.000000000"]),
            (126, ["BEGAN N 5.000000000", "FAILED other 8"]),
            (126, ["NEVER N told"]),
            (126, []),
            (1, ["BEGAN N 5.000000000", "FAILED N 8"]),
            (0, ["BEGAN N 5.000000000", "FAILED N 8"]),
            (127, ["UNUSABLE N missing"]),
        ],
    )
    def test_is_not_guessed_from_the_exit_code_alone(
        self, act: Act, keeper: Gatekeeper, code: int, lines: list[str]
    ) -> None:
        """A command may well end with 126 by itself."""
        if lines:
            says(act, *lines)
        assert keeper.unusable(act, ended(act, code)) is None

    def test_is_not_known_where_the_folders_are_gone(self, act: Act, keeper: Gatekeeper) -> None:
        keeper.clear(act)
        assert keeper.unusable(act, ended(act, 126)) is None


def ended(act: Act, code: int) -> Any:
    """The end of its container, as the engine tells it."""
    engine = FakeEngine()
    plant(engine, act, Status.EXITED, exit_code=code)
    return engine.observe(act.spec.name)


class TestAContainerThatIsReplaced:
    def test_goes_with_its_folders(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        plant(engine, act)
        is_void(keeper.replace(act), engine, act)

    def test_may_be_gone_already(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        is_void(keeper.replace(act), engine, act)

    def test_is_removed_even_if_the_engine_refuses_at_first(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        engine.refuse("remove", EngineError("it is busy"), times=2)
        engine.lose_reply("remove")
        is_void(keeper.replace(act), engine, act)

    def test_is_kept_where_its_command_has_begun(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act)
        says(act, began_at(utc_now()))
        assert isinstance(keeper.replace(act), ContainerStarted)
        assert there(engine, act)

    def test_is_kept_where_its_command_begins_meanwhile(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        """A manager that was killed had handed the command over, and the gate was slow."""
        plant(engine, act)
        hand_over(act)
        slow = threading.Timer(0.15, says, [act, began_at(utc_now())])
        slow.start()
        assert isinstance(keeper.replace(act), ContainerStarted)
        slow.join()
        assert there(engine, act)

    def test_is_kept_where_a_task_lies(self, engine: FakeEngine, act: Act, keeper: Gatekeeper) -> None:
        plant(engine, act, Status.EXITED)
        says(act, "NEVER - patience")
        assert isinstance(keeper.replace(act), ContainerStarted)
        assert there(engine, act)

    def test_is_not_kept_where_it_never_will_begin(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        plant(engine, act, Status.EXITED)
        says(act, "NEVER T patience")
        is_void(keeper.replace(act), engine, act)

    def test_is_lost_where_its_command_may_have_begun_and_it_is_over(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        hand_over(act)
        assert isinstance(keeper.replace(act), ContainerLost)

    def test_is_void_where_it_was_so_for_the_manager_before(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        keeper.clear(act)
        is_void(keeper.replace(act), engine, act)

    def test_is_kept_where_its_receipt_lasted_and_the_fifo_came_back(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper
    ) -> None:
        """After a power cut."""
        plant(engine, act)
        says(act, "BEGAN N 5.000000000", opened=False)
        assert isinstance(keeper.replace(act), ContainerStarted)
        assert isinstance(keeper.open(act), ContainerStarted)

    @pytest.mark.parametrize("phase", [Phase.CLAIMED, Phase.CREATED, Phase.WAITING])
    def test_is_not_kept_where_nobody_could_have_opened_it_whatever_is_said(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, phase: Phase
    ) -> None:
        """It was not waiting yet, or its turn had not come."""
        plant(engine, act)
        says(act, began_at(utc_now()))
        ready_at = None if phase is Phase.WAITING else act.attempt.timings.ready_at
        timings = act.attempt.timings.model_copy(update={"ready_at": ready_at})
        attempt = act.attempt.model_copy(update={"phase": phase, "timings": timings})
        early = replace(act, task=act.task.model_copy(update={"attempts": (attempt,)}))
        is_void(keeper.replace(early), engine, act)


class TestTheFoldersOfAGate:
    def test_are_made_once(self, act: Act, keeper: Gatekeeper) -> None:
        """They may be mounted already: asked for again, they stay what they are."""
        fifo = act.gate.fifo
        before = fifo.stat().st_ino, act.gate.receipt.stat().st_ino
        keeper.prepare(act)
        assert (fifo.stat().st_ino, act.gate.receipt.stat().st_ino) == before
        assert fifo.is_fifo()

    @pytest.mark.parametrize("made", [[], [CONTROL], [CONTROL, RECEIPT]])
    def test_are_made_whole_where_a_manager_was_killed_meanwhile(
        self, engine: FakeEngine, act: Act, made: list[str]
    ) -> None:
        """Else a FIFO that never was would pass for one that was taken away after use."""
        for name in made:
            (act.gate.path / name).mkdir(parents=True)
        a_keeper(engine, act).prepare(act)
        assert act.gate.fifo.is_fifo()
        assert act.gate.receipt.is_dir()

    def test_go_with_the_container(self, act: Act, keeper: Gatekeeper) -> None:
        keeper.clear(act)
        assert not act.gate.path.exists()
        keeper.clear(act)


class TestAReceiptThatCanNotBeRead:
    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
    def test_because_the_machine_is_short_of_something_is_read_again(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """An act that raises has no outcome: its task would hang until the manager is started again."""
        plant(engine, act)
        says(act, began_at(utc_now()))
        fails(monkeypatch, number, times=3)
        assert isinstance(keeper.open(act), ContainerStarted)

    def test_because_the_task_has_shut_its_folder_is_the_receipt_of_a_command_that_began(
        self, engine: FakeEngine, act: Act, keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder is the task's: once it runs it may take all rights away, also from a manager of its
        own uid. The gate does no such thing."""
        plant(engine, act)
        hand_over(act)
        fails(monkeypatch, errno.EACCES)
        assert isinstance(keeper.open(act), ContainerStarted)
        assert there(engine, act)

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE])
    def test_does_not_keep_the_end_of_a_task_from_being_told(
        self, act: Act, keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        says(act, "BEGAN N 5.000000000")
        fails(monkeypatch, number, times=1 if number == errno.EMFILE else None)
        assert keeper.unusable(act, ended(act, 126)) is None


def fails(monkeypatch: pytest.MonkeyPatch, number: int, times: int | None = None) -> None:
    """Have receipts not be read, so many times or for ever."""
    read, left = gate_folder.read_receipt, [times]

    def broken(folder: Path) -> protocol.Receipt | None:
        if left[0] is None or left[0] > 0:
            left[0] = left[0] and left[0] - 1
            raise OSError(number, "it can't be read", str(folder))
        return read(folder)

    monkeypatch.setattr(gate_folder, "read_receipt", broken)


def test_an_engine_that_goes_away_meanwhile_is_asked_until_it_answers(
    engine: FakeEngine, act: Act, keeper: Gatekeeper
) -> None:
    plant(engine, act, Status.EXITED)
    hand_over(act)
    engine.refuse("observe", EngineUnavailable("the container engine does not answer"), times=2)
    assert isinstance(keeper.open(act), ContainerLost)


def test_the_nonce_is_the_gates_own(tmp_path: Path) -> None:
    first, again = an_act(tmp_path), an_act(tmp_path, incarnation=2)
    assert _nonce(first) != _nonce(again)
    assert _nonce(first) == _nonce(an_act(tmp_path)), "also for the manager after this one"
    protocol.frame(_nonce(first), "", ("true",), {})


def test_nobody_waits_for_a_manager_that_goes_down(
    engine: FakeEngine, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.gates.gatekeeper.LEAVING", 60.0)
    retry = Retry(lambda fact: None)
    keeper = a_keeper(engine, act, retry)
    keeper.prepare(act)
    plant(engine, act)
    says(act, "NEVER - told")
    ended_with: list[object] = []

    def open_it() -> None:
        try:
            ended_with.append(keeper.open(act))
        except Stopped as stopped:
            ended_with.append(stopped)

    thread = threading.Thread(target=open_it)
    thread.start()
    retry.stop()
    until(lambda: ended_with)
    thread.join()
    assert isinstance(ended_with[0], Stopped)

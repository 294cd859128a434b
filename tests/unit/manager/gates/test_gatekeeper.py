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
from air_executor.format.arguments import ResultOf, Unresolved
from air_executor.format.attempts import Attempt, Container, Phase, Timings
from air_executor.format.results import Result
from manager.engine.contract import EngineError, EngineUnavailable, Status
from manager.engine.host_network import HostNetwork
from manager.engine.retry import Retry, Stopped
from manager.folder import result_file
from manager.folder.pace import USUAL
from manager.gates import gate_folder, protocol
from manager.gates.end_listener import EndListener
from manager.gates.gatekeeper import Gatekeeper, _nonce
from manager.gates.protocol import Ended
from manager.gates.secret_keeper import SecretKeeper
from manager.gates.warm_keeper import WarmKeeper
from manager.model import containers
from manager.model.assignment import Assignment
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
def assignment(tmp_path: Path) -> Assignment:
    return an_assignment(tmp_path)


@pytest.fixture
def keeper(engine: FakeEngine, assignment: Assignment) -> Gatekeeper:
    """With the folders of the gate made, and a container that has waited for a minute."""
    made = a_keeper(engine, assignment)
    made.prepare(assignment)
    return made


def a_keeper(engine: FakeEngine, assignment: Assignment, retry: Retry | None = None) -> Gatekeeper:
    retry = retry or Retry(lambda fact: None)
    home_folder = assignment.gate.path.parent.parent
    rules = settings(home_folder)
    home = Home(HOME_ID, home_folder)
    pool = WarmKeeper(engine, home, rules, HostNetwork(engine, home, rules), retry, USUAL)
    kept = SecretKeeper({})
    return Gatekeeper(engine, HOME_ID, pool, EndListener(kept, lambda fact: None), kept, retry)


def an_assignment(home_folder: Path, *words: str, incarnation: int = 1) -> Assignment:
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
    return Assignment(
        of,
        folder,
        home.work("job"),
        whole,
        granted(bare),
        containers.gated(spec, home),
        home.gate(spec.name),
        None,
    )


def plant(
    engine: FakeEngine, assignment: Assignment, status: Status = Status.RUNNING, **state: object
) -> str:
    """The container of the `assignment`, in some state, with nobody in it who would answer."""
    times: dict[str, object] = {"started_at": utc_now() - AGO, "gate_shut": True}
    if status is Status.EXITED:
        times |= {"finished_at": utc_now(), "exit_code": 75}
    return engine.plant(assignment.spec, **(times | {"status": status} | state))


def at_its_gate(engine: FakeEngine, assignment: Assignment) -> None:
    """A container of the `assignment` that really waits, as far as a fake's does."""
    for mount in assignment.spec.mounts:
        if not mount.target.startswith(containers.GATE_PLACE):
            Path(mount.source).mkdir(parents=True, exist_ok=True)
    program = Home(HOME_ID, assignment.gate.path.parent.parent).gate_program
    program.parent.mkdir(exist_ok=True)
    program.touch()
    engine.create(assignment.spec, network(home=Home(HOME_ID, assignment.gate.path.parent.parent)))
    engine.start(assignment.spec.name)


def says(assignment: Assignment, *lines: str, opened: bool = True) -> None:
    """Write the receipt of a gate, opened or not; N stands for the nonce, T for the token."""
    if opened:
        hand_over(assignment)
    token = assignment.gate.token.read_text()
    text = "".join(f"{line}\n" for line in lines)
    text = text.replace(" N ", f" {_nonce(assignment)} ").replace(" T ", f" {token} ")
    (assignment.gate.receipt / "new").write_text(text)
    (assignment.gate.receipt / "new").rename(assignment.gate.receipt / gate_folder.RECEIPT_FILE)


def began_at(moment: datetime) -> str:
    return f"BEGAN N {calendar.timegm(moment.utctimetuple())}.{moment.microsecond:06}000"


def hand_over(assignment: Assignment) -> None:
    """A manager has done so, and taken away the token and the FIFO."""
    for name in (TOKEN, END, FIFO):
        (assignment.gate.control / name).unlink(missing_ok=True)


def there(engine: FakeEngine, assignment: Assignment) -> bool:
    return assignment.spec.name in engine.names


def is_void(fact: object, engine: FakeEngine, assignment: Assignment) -> None:
    """Nothing is left of it."""
    assert isinstance(fact, ContainerVoided)
    assert fact.key == KEY
    assert not there(engine, assignment)
    assert not assignment.gate.path.exists()


class TestResultsOfOthers:
    """Are there before the command begins; or it does not begin."""

    @pytest.fixture
    def assignment(self, tmp_path: Path) -> Assignment:
        made = an_assignment(tmp_path, "say", "hello world", "é", "")
        return replace(made, results={"a": Result('"é"')})

    def test_stand_in_its_inbox(self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper) -> None:
        gate_folder.prepare_inbox(assignment.gate, assignment.user)
        at_its_gate(engine, assignment)
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert (assignment.gate.inbox / "results" / "a.json").read_text() == '"é"'

    def test_have_a_place_in_an_inbox_that_an_older_manager_made(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        at_its_gate(engine, assignment)
        assert not (assignment.gate.inbox / "results").exists()
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert (assignment.gate.inbox / "results" / "a.json").exists()
        assert (assignment.gate.inbox / "result").is_dir()

    def test_stand_in_the_arguments(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        args = ("hello world", ResultOf(result="a"), "")
        referring = replace(assignment, task=assignment.task.model_copy(update={"args": args}))
        at_its_gate(engine, referring)
        assert isinstance(keeper.open(referring), ContainerStarted), "it is the program that the engine has"

    def test_that_are_not_there_keep_it_shut(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        args = (ResultOf(result="a", path="rows"),)
        referring = replace(assignment, task=assignment.task.model_copy(update={"args": args}))
        at_its_gate(engine, referring)
        with pytest.raises(Unresolved, match="has no 'rows'"):
            keeper.open(referring)
        assert engine.executions == [] and referring.gate.fifo.exists()

    def test_are_written_as_soon_as_the_machine_has_room(
        self,
        engine: FakeEngine,
        assignment: Assignment,
        keeper: Gatekeeper,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        give, full = result_file.give, [OSError(errno.ENOSPC, "full")] * 2

        def try_to(*about: Any) -> None:
            if full:
                raise full.pop()
            give(*about)

        monkeypatch.setattr("manager.folder.result_file.give", try_to)
        monkeypatch.setattr("manager.gates.gatekeeper.LONGEST_PAUSE", 0.01)
        at_its_gate(engine, assignment)
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert not full and engine.executions == [("job", "b", 1)]


class TestAGateThatOpens:
    def test_gets_its_whole_command_once(self, tmp_path: Path, engine: FakeEngine) -> None:
        assignment = an_assignment(tmp_path, "say", "hello world", "é", "")
        keeper = a_keeper(engine, assignment)
        keeper.prepare(assignment)
        at_its_gate(engine, assignment)
        before = utc_now()
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted)
        assert before <= fact.started_at <= fact.at <= utc_now()
        assert fact.instant is not None
        assert not assignment.gate.fifo.exists()
        assert engine.executions == [("job", "b", 1)]

    def test_is_not_opened_again(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        at_its_gate(engine, assignment)
        first, second = keeper.open(assignment), keeper.open(assignment)
        assert isinstance(first, ContainerStarted) and isinstance(second, ContainerStarted)
        assert first.started_at == second.started_at
        assert engine.executions == [("job", "b", 1)]

    def test_may_take_its_time(self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper) -> None:
        """Handed over at once; the receipt comes when the engine was asked already."""
        plant(engine, assignment)
        hand_over(assignment)
        moment = utc_now()
        slow = threading.Timer(0.15, says, [assignment, began_at(moment)])
        slow.start()
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted)
        assert fact.started_at == moment
        slow.join()

    def test_may_have_its_reader_late(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """The container runs, and its gate is not there yet: a machine that is busy."""
        plant(engine, assignment)
        heard: list[bytes] = []

        def late() -> None:
            with assignment.gate.fifo.open("rb") as fifo:
                heard.append(fifo.read())
            says(assignment, began_at(utc_now()))

        slow = threading.Timer(0.1, late)
        slow.start()
        assert isinstance(keeper.open(assignment), ContainerStarted)
        slow.join()
        assert heard == [protocol.frame(_nonce(assignment), "/work", ("true",), assignment.spec.env)]

    def test_is_told_what_it_is_to_have_mounted(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        at_its_gate(engine, assignment)
        assignment.gate.inbox.rename(assignment.gate.path / "aside")
        assignment.gate.inbox.mkdir()
        assert isinstance(keeper.open(assignment), ContainerVoided)
        assert engine.executions == []

    def test_began_when_it_says(self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper) -> None:
        plant(engine, assignment)
        moment = utc_now() - timedelta(seconds=5)
        says(assignment, began_at(moment))
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted) and fact.started_at == moment

    def test_did_not_begin_in_the_future(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        says(assignment, began_at(utc_now() + timedelta(days=365)))
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted) and fact.started_at <= fact.at <= utc_now()

    def test_did_not_begin_before_its_container(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        says(assignment, "BEGAN N 1.000000000")
        fact = keeper.open(assignment)
        earliest = assignment.attempt.timings.container_started_at
        assert isinstance(fact, ContainerStarted) and earliest is not None
        assert earliest <= fact.started_at <= utc_now()

    def test_did_not_begin_before_its_turn(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """Nobody opens it before that, whatever it says."""
        plant(engine, assignment)
        says(assignment, "BEGAN N 1.000000000")
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted) and assignment.attempt.timings.ready_at is not None
        assert fact.started_at >= assignment.attempt.timings.ready_at

    def test_of_a_container_that_ended_meanwhile_has_begun(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """Its outcome is found by who watches it."""
        plant(engine, assignment, Status.EXITED, exit_code=0)
        says(assignment, began_at(utc_now()))
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert there(engine, assignment)


class TestAGateThatSaysNever:
    @pytest.mark.parametrize("reason", ["told", "patience", "short", "malformed", "unfit"])
    @pytest.mark.parametrize("code", [0, 75, 137])
    def test_is_believed_when_it_knows_the_token(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, reason: str, code: int
    ) -> None:
        """However its process was ended after that: nothing was run."""
        plant(engine, assignment, Status.EXITED, exit_code=code)
        says(assignment, f"NEVER T {reason}")
        is_void(keeper.open(assignment), engine, assignment)

    @pytest.mark.parametrize("runs", [True, False])
    def test_is_believed_before_it_has_left_and_after_it_is_gone(
        self,
        engine: FakeEngine,
        assignment: Assignment,
        keeper: Gatekeeper,
        monkeypatch: pytest.MonkeyPatch,
        runs: bool,
    ) -> None:
        if runs:
            plant(engine, assignment)
        says(assignment, "NEVER T short")
        monkeypatch.setattr("manager.gates.gatekeeper.LEAVING", 60.0)
        is_void(keeper.open(assignment), engine, assignment)

    def test_is_believed_by_the_manager_after_this_one(
        self, engine: FakeEngine, assignment: Assignment
    ) -> None:
        a_keeper(engine, assignment).prepare(assignment)
        plant(engine, assignment, Status.EXITED)
        says(assignment, "NEVER T short")
        is_void(a_keeper(engine, assignment).open(assignment), engine, assignment)

    @pytest.mark.parametrize("said", ["-", "N", "other"])
    @pytest.mark.parametrize("code", [0, 1, 74, 75, 76, 127, 137])
    def test_is_a_task_that_lies_when_it_does_not_know_the_token(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, said: str, code: int
    ) -> None:
        """Also where it ends as gates do (75)."""
        plant(engine, assignment, Status.EXITED, exit_code=code)
        says(assignment, f"NEVER {said} told")
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert there(engine, assignment), "its outcome counts"

    def test_is_a_task_that_lies_when_it_says_the_token_of_another_gate(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, tmp_path: Path
    ) -> None:
        other = an_assignment(tmp_path, incarnation=2)
        keeper.prepare(other)
        plant(engine, assignment, Status.EXITED)
        says(assignment, f"NEVER {other.gate.token.read_text()} told")
        assert isinstance(keeper.open(assignment), ContainerStarted)

    def test_is_a_task_that_lies_when_nobody_knows_the_token_any_more(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment, Status.EXITED)
        says(assignment, "NEVER T told")
        assignment.gate.token.unlink()
        assert isinstance(keeper.open(assignment), ContainerStarted)

    @IN_VAIN
    def test_is_a_task_that_lies_when_it_goes_on_running(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        says(assignment, "NEVER N told")
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert there(engine, assignment)

    def test_is_a_task_that_lies_and_is_lost_when_its_container_is_gone(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        says(assignment, "NEVER N told")
        assert isinstance(keeper.open(assignment), ContainerLost)

    def test_is_void_where_nobody_had_opened_it(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment, Status.EXITED)
        says(assignment, "NEVER T patience", opened=False)
        is_void(keeper.open(assignment), engine, assignment)


class TestAReceiptOfSomebodyElse:
    @pytest.mark.parametrize("line", ["BEGAN other 5.000000000", "UNUSABLE other missing"])
    def test_does_not_keep_a_container_from_being_lost(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, line: str
    ) -> None:
        plant(engine, assignment, Status.EXITED)
        says(assignment, line)
        assert isinstance(keeper.open(assignment), ContainerLost)

    @pytest.mark.parametrize("line", ["BEGAN other 5.000000000", "UNUSABLE other missing"])
    def test_does_not_keep_a_container_that_nobody_opened_from_being_void(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, line: str
    ) -> None:
        plant(engine, assignment, Status.EXITED)
        says(assignment, line, opened=False)
        is_void(keeper.open(assignment), engine, assignment)

    def test_is_not_the_reason_why_a_command_could_not_be_executed(
        self, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        says(assignment, "BEGAN other 5.000000000", "FAILED other 8")
        assert keeper.unusable(assignment, ended(assignment, 126)) is None


class TestAGateThatSaysNothing:
    @IN_VAIN
    def test_has_begun_where_it_runs_and_was_handed_its_command(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        hand_over(assignment)
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted)
        assert fact.started_at <= fact.at <= utc_now()
        assert there(engine, assignment)

    @IN_VAIN
    def test_did_not_begin_before_its_turn(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        hand_over(assignment)
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerStarted) and assignment.attempt.timings.ready_at is not None
        assert fact.started_at >= assignment.attempt.timings.ready_at

    @IN_VAIN
    def test_is_void_where_it_runs_and_takes_no_command(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        is_void(keeper.open(assignment), engine, assignment)

    @IN_VAIN
    def test_is_void_where_the_engine_has_forgotten_that_it_was_started(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment, Status.CREATED, started_at=None)
        is_void(keeper.open(assignment), engine, assignment)

    @pytest.mark.parametrize("code", [0, 74, 75, 137])
    def test_is_void_where_it_has_ended_and_nobody_had_opened_it(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, code: int
    ) -> None:
        plant(engine, assignment, Status.EXITED, exit_code=code)
        is_void(keeper.open(assignment), engine, assignment)

    def test_is_void_where_it_is_gone_and_nobody_had_opened_it(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        is_void(keeper.open(assignment), engine, assignment)

    def test_is_void_where_it_has_left_in_the_middle_of_its_command(
        self, tmp_path: Path, engine: FakeEngine
    ) -> None:
        """The FIFO is gone, but no gate begins by a part."""
        assignment = an_assignment(tmp_path, "say", "x" * 200_000)
        keeper = a_keeper(engine, assignment)
        keeper.prepare(assignment)
        plant(engine, assignment)

        def leave() -> None:
            with assignment.gate.fifo.open("rb", buffering=0) as fifo:
                fifo.read(10)

        reader = threading.Thread(target=leave)
        reader.start()
        is_void(keeper.open(assignment), engine, assignment)
        reader.join()

    def test_is_lost_where_its_folders_are_gone_as_well(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """Nobody knows any more whether it was opened."""
        plant(engine, assignment, Status.EXITED)
        keeper.clear(assignment)
        assert isinstance(keeper.open(assignment), ContainerLost)

    def test_is_void_where_its_container_is_gone_with_its_folders(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """So it was left by a manager that had no time to write that down."""
        keeper.clear(assignment)
        is_void(keeper.open(assignment), engine, assignment)

    @IN_VAIN
    def test_has_begun_where_it_runs_and_its_folders_are_gone(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        keeper.clear(assignment)
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert there(engine, assignment)

    @pytest.mark.parametrize("status", [Status.EXITED, None])
    def test_is_lost_where_it_was_opened_and_is_over(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, status: Status | None
    ) -> None:
        if status is not None:
            plant(engine, assignment, status)
        hand_over(assignment)
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerLost)
        assert (fact.key, assignment.spec.name in fact.message) == (KEY, True)

    def test_has_begun_where_it_ended_with_success(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """No gate does before it has begun its command; that may have taken the receipt away."""
        plant(engine, assignment, Status.EXITED, exit_code=0)
        hand_over(assignment)
        assert isinstance(keeper.open(assignment), ContainerStarted)

    def test_has_begun_where_it_has_told_of_its_end(
        self,
        engine: FakeEngine,
        assignment: Assignment,
        keeper: Gatekeeper,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        plant(engine, assignment, Status.EXITED, exit_code=7)
        hand_over(assignment)
        monkeypatch.setattr(keeper._ends, "last_word", lambda key: Ended(7, utc_now(), 0))
        assert isinstance(keeper.open(assignment), ContainerStarted)


class TestWhetherASignalHasEndedTheCommand:
    @pytest.mark.parametrize(("said", "code", "found"), [(0, 137, False), (9, 137, True), (15, 143, True)])
    def test_is_had_from_the_receipt_where_nobody_has_heard_it(
        self, assignment: Assignment, keeper: Gatekeeper, said: int, code: int, found: bool
    ) -> None:
        says(assignment, began_at(utc_now()), f"ENDED {code} 1700000000.000000000 {said}")
        assert keeper.signalled(assignment, code) is found

    @pytest.mark.parametrize(("said", "code"), [(9, 1), (15, 137), (9, 0)])
    def test_is_not_known_where_no_gate_would_say_so(
        self, assignment: Assignment, keeper: Gatekeeper, said: int, code: int
    ) -> None:
        says(assignment, began_at(utc_now()), f"ENDED {code} 1700000000.000000000 {said}")
        assert keeper.signalled(assignment, code) is None

    def test_is_not_known_where_nothing_was_said(self, assignment: Assignment, keeper: Gatekeeper) -> None:
        says(assignment, began_at(utc_now()))
        assert keeper.signalled(assignment, 137) is None


UNUSABLE = [
    ("missing", 127, "there is no command 'true' in the image"),
    ("denied", 126, "the command 'true' is not executable"),
    ("workdir", 126, "the working directory '/work' can't be used"),
]


class TestACommandThatCanNotBeUsed:
    @pytest.mark.parametrize(("problem", "code", "words"), UNUSABLE)
    def test_is_the_tasks_failure(
        self,
        engine: FakeEngine,
        assignment: Assignment,
        keeper: Gatekeeper,
        problem: str,
        code: int,
        words: str,
    ) -> None:
        plant(engine, assignment, Status.EXITED, exit_code=code)
        says(assignment, f"UNUSABLE N {problem}")
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerExited)
        outcome = fact.result
        assert (outcome.exit_code, outcome.unusable_command, outcome.oom_killed) == (code, words, False)
        assert outcome.started_at <= outcome.finished_at <= utc_now()

    def test_is_seen_by_the_engine_as_well_before_it_is_told(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """What is told as the end of a container is followed by its removal."""
        plant(engine, assignment, Status.EXITED, exit_code=127, gate_shut=False)
        says(assignment, "UNUSABLE N missing")
        assert isinstance(keeper.open(assignment), ContainerExited)
        engine.remove(assignment.spec.name, HOME_ID)

    @pytest.mark.parametrize("code", [0, 1, 75, 126, 137])
    def test_is_a_task_that_lies_when_it_has_ended_otherwise(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, code: int
    ) -> None:
        plant(engine, assignment, Status.EXITED, exit_code=code)
        says(assignment, "UNUSABLE N missing")
        assert isinstance(keeper.open(assignment), ContainerStarted)

    @IN_VAIN
    def test_is_a_task_that_lies_when_it_goes_on_running(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        says(assignment, "UNUSABLE N missing")
        assert isinstance(keeper.open(assignment), ContainerStarted)

    def test_may_be_found_at_the_last_moment(self, assignment: Assignment, keeper: Gatekeeper) -> None:
        says(assignment, "BEGAN N 5.000000000", f"FAILED {_nonce(assignment)} 26")
        found = keeper.unusable(assignment, ended(assignment, 126))
        assert found is not None and found.startswith("the command 'true' can't be executed while")

    def test_is_told_with_what_the_gate_knows(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment, Status.EXITED, exit_code=126)
        says(assignment, "UNUSABLE N denied errno=2 role=interpreter file=/no/such%1B")
        fact = keeper.open(assignment)
        assert isinstance(fact, ContainerExited)
        words = "the command 'true' names the interpreter '/no/such\\x1b', which is not there"
        assert fact.result.unusable_command == words

    @pytest.mark.parametrize(
        ("code", "lines"),
        [
            (126, ["BEGAN N 5.000000000"]),
            (126, ["BEGAN N 5.000000000", "FAILED N 11"]),
            (126, ["BEGAN N 5.000000000", "FAILED N 12"]),
            (126, ["BEGAN N 5.000000000", "FAILED other 8"]),
            (126, ["NEVER N told"]),
            (126, []),
            (1, ["BEGAN N 5.000000000", "FAILED N 8"]),
            (0, ["BEGAN N 5.000000000", "FAILED N 8"]),
            (127, ["UNUSABLE N missing"]),
        ],
    )
    def test_is_not_guessed_from_the_exit_code_alone(
        self, assignment: Assignment, keeper: Gatekeeper, code: int, lines: list[str]
    ) -> None:
        """A command may well end with 126 by itself."""
        if lines:
            says(assignment, *lines)
        assert keeper.unusable(assignment, ended(assignment, code)) is None

    def test_is_not_known_where_the_folders_are_gone(
        self, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        keeper.clear(assignment)
        assert keeper.unusable(assignment, ended(assignment, 126)) is None


def ended(assignment: Assignment, code: int) -> Any:
    """The end of its container, as the engine tells it."""
    engine = FakeEngine()
    plant(engine, assignment, Status.EXITED, exit_code=code)
    return engine.observe(assignment.spec.name)


class TestAContainerThatIsReplaced:
    def test_goes_with_its_folders(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        is_void(keeper.replace(assignment), engine, assignment)

    def test_may_be_gone_already(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        is_void(keeper.replace(assignment), engine, assignment)

    def test_is_removed_even_if_the_engine_refuses_at_first(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        engine.refuse("remove", EngineError("it is busy"), times=2)
        engine.lose_reply("remove")
        is_void(keeper.replace(assignment), engine, assignment)

    def test_is_kept_where_its_command_has_begun(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment)
        says(assignment, began_at(utc_now()))
        assert isinstance(keeper.replace(assignment), ContainerStarted)
        assert there(engine, assignment)

    def test_is_kept_where_its_command_begins_meanwhile(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """A manager that was killed had handed the command over, and the gate was slow."""
        plant(engine, assignment)
        hand_over(assignment)
        slow = threading.Timer(0.15, says, [assignment, began_at(utc_now())])
        slow.start()
        assert isinstance(keeper.replace(assignment), ContainerStarted)
        slow.join()
        assert there(engine, assignment)

    def test_is_kept_where_a_task_lies(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment, Status.EXITED)
        says(assignment, "NEVER - patience")
        assert isinstance(keeper.replace(assignment), ContainerStarted)
        assert there(engine, assignment)

    def test_is_not_kept_where_it_never_will_begin(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        plant(engine, assignment, Status.EXITED)
        says(assignment, "NEVER T patience")
        is_void(keeper.replace(assignment), engine, assignment)

    def test_is_lost_where_its_command_may_have_begun_and_it_is_over(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        hand_over(assignment)
        assert isinstance(keeper.replace(assignment), ContainerLost)

    def test_is_void_where_it_was_so_for_the_manager_before(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        keeper.clear(assignment)
        is_void(keeper.replace(assignment), engine, assignment)

    def test_is_kept_where_its_receipt_lasted_and_the_fifo_came_back(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
    ) -> None:
        """After a power cut."""
        plant(engine, assignment)
        says(assignment, "BEGAN N 5.000000000", opened=False)
        assert isinstance(keeper.replace(assignment), ContainerStarted)
        assert isinstance(keeper.open(assignment), ContainerStarted)

    @pytest.mark.parametrize("phase", [Phase.CLAIMED, Phase.CREATED, Phase.WAITING])
    def test_is_not_kept_where_nobody_could_have_opened_it_whatever_is_said(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, phase: Phase
    ) -> None:
        """It was not waiting yet, or its turn had not come."""
        plant(engine, assignment)
        says(assignment, began_at(utc_now()))
        ready_at = None if phase is Phase.WAITING else assignment.attempt.timings.ready_at
        timings = assignment.attempt.timings.model_copy(update={"ready_at": ready_at})
        attempt = assignment.attempt.model_copy(update={"phase": phase, "timings": timings})
        early = replace(assignment, task=assignment.task.model_copy(update={"attempts": (attempt,)}))
        is_void(keeper.replace(early), engine, assignment)


class TestTheFoldersOfAGate:
    def test_are_made_once(self, assignment: Assignment, keeper: Gatekeeper) -> None:
        """They may be mounted already: asked for again, they stay what they are."""
        fifo = assignment.gate.fifo
        before = fifo.stat().st_ino, assignment.gate.receipt.stat().st_ino
        keeper.prepare(assignment)
        assert (fifo.stat().st_ino, assignment.gate.receipt.stat().st_ino) == before
        assert fifo.is_fifo()

    @pytest.mark.parametrize("made", [[], [CONTROL], [CONTROL, RECEIPT]])
    def test_are_made_whole_where_a_manager_was_killed_meanwhile(
        self, engine: FakeEngine, assignment: Assignment, made: list[str]
    ) -> None:
        """Else a FIFO that never was would pass for one that was taken away after use."""
        for name in made:
            (assignment.gate.path / name).mkdir(parents=True)
        a_keeper(engine, assignment).prepare(assignment)
        assert assignment.gate.fifo.is_fifo()
        assert assignment.gate.receipt.is_dir()

    def test_go_with_the_container(self, assignment: Assignment, keeper: Gatekeeper) -> None:
        keeper.clear(assignment)
        assert not assignment.gate.path.exists()
        keeper.clear(assignment)


class TestAReceiptThatCanNotBeRead:
    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
    def test_because_the_machine_is_short_of_something_is_read_again(
        self,
        engine: FakeEngine,
        assignment: Assignment,
        keeper: Gatekeeper,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        """An act that raises has no outcome: its task would hang until the manager is started again."""
        plant(engine, assignment)
        says(assignment, began_at(utc_now()))
        fails(monkeypatch, number, times=3)
        assert isinstance(keeper.open(assignment), ContainerStarted)

    def test_because_the_task_has_shut_its_folder_is_the_receipt_of_a_command_that_began(
        self, engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder is the task's: once it runs it may take all rights away, also from a manager of its
        own uid. The gate does no such thing."""
        plant(engine, assignment)
        hand_over(assignment)
        fails(monkeypatch, errno.EACCES)
        assert isinstance(keeper.open(assignment), ContainerStarted)
        assert there(engine, assignment)

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE])
    def test_does_not_keep_the_end_of_a_task_from_being_told(
        self, assignment: Assignment, keeper: Gatekeeper, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        says(assignment, "BEGAN N 5.000000000")
        fails(monkeypatch, number, times=1 if number == errno.EMFILE else None)
        assert keeper.unusable(assignment, ended(assignment, 126)) is None


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
    engine: FakeEngine, assignment: Assignment, keeper: Gatekeeper
) -> None:
    plant(engine, assignment, Status.EXITED)
    hand_over(assignment)
    engine.refuse("observe", EngineUnavailable("the container engine does not answer"), times=2)
    assert isinstance(keeper.open(assignment), ContainerLost)


def test_the_nonce_is_the_gates_own(tmp_path: Path) -> None:
    first, again = an_assignment(tmp_path), an_assignment(tmp_path, incarnation=2)
    assert _nonce(first) != _nonce(again)
    assert _nonce(first) == _nonce(an_assignment(tmp_path)), "also for the manager after this one"
    protocol.frame(_nonce(first), "", ("true",), {})


def test_nobody_waits_for_a_manager_that_goes_down(
    engine: FakeEngine, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.gates.gatekeeper.LEAVING", 60.0)
    retry = Retry(lambda fact: None)
    keeper = a_keeper(engine, assignment, retry)
    keeper.prepare(assignment)
    plant(engine, assignment)
    says(assignment, "NEVER - told")
    ended_with: list[object] = []

    def open_it() -> None:
        try:
            ended_with.append(keeper.open(assignment))
        except Stopped as stopped:
            ended_with.append(stopped)

    thread = threading.Thread(target=open_it)
    thread.start()
    retry.stop()
    until(lambda: ended_with)
    thread.join()
    assert isinstance(ended_with[0], Stopped)

"""From a folder that was found to a job that is taken, or refused with the rule that it breaks."""

from dataclasses import replace
from typing import Any

import pytest

from air_executor.errors import BadInput
from air_executor.format.attempts import Attempt, Cause, Container, Failure, Phase
from air_executor.format.models import Decision, Job, JobState, JobView, Task, TaskSpec, TaskStatus
from manager.core import admission, policy
from manager.model.facts import JobFound, JobRefused, TaskClaimed, TaskRequested
from manager.model.values import AttemptKey, Host, Sharing
from tests.unit.manager.builders import (
    OWNER,
    T0,
    UID,
    at,
    claimed,
    created,
    exited,
    key,
    live_job,
    removed,
    settings,
    started,
    task,
)


def found(*tasks: Task, **fields: Any) -> JobFound:
    job = Job(id="1", name="job", created_at=T0, updated_at=T0, **fields)
    return JobFound(name="job", job=job, tasks=tasks, owner=OWNER, at=at(1))


def refusal(*tasks: Task, **limits: Any) -> str:
    with pytest.raises(BadInput) as caught:
        admission.take(found(*tasks), UID, settings(**limits))
    return str(caught.value)


def test_a_good_job_is_taken_with_a_uid_of_the_managers_own() -> None:
    job = admission.take(found(task("a"), task("b", "a"), max_parallel=2), UID, settings())
    assert (job.job.id, job.job.uid, job.uid) == ("1", UID, UID)
    assert (job.job.state, job.job.updated_at) == (JobState.WORKING, at(1))
    assert job.job.max_parallel == 2
    assert list(job.ready) == ["a"]
    assert {each.id for each in job.take_changes().tasks} == {"a", "b"}
    assert job.owner == OWNER


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([], "a job needs at least one task"),
        ([task("a"), task("b"), task("a")], "tasks[2].id: duplicate id 'a': tasks[0] has it as well"),
        ([task("a", "b")], "tasks[0].dependencies: unknown dependency 'b' of task 'a'"),
        ([task("a", "a")], "dependency cycle: a -> a"),
        ([task("a", "b"), task("b", "c"), task("c", "a")], "dependency cycle: a -> b -> c -> a"),
        ([task("a", status=TaskStatus.RUNNING)], "tasks[0].status: is 'running'"),
        ([task("a", status=TaskStatus.FAILED)], "tasks[0].status: is 'failed'"),
        ([task("a", status=TaskStatus.SKIPPED)], "tasks[0].status: is 'skipped'"),
        ([task("a"), task("b", network="host")], "tasks[1].network: 'host' is not allowed here"),
        ([task("a", network="container:other")], "tasks[0].network: 'container:other' is not allowed"),
        ([task("a", network="")], "tasks[0].network: '' is not allowed"),
        ([task("a", user="7")], "tasks[0].user: '7' is not allowed here"),
        ([task("a"), task("b", workdir="rel/x")], "tasks[1].workdir: 'rel/x' must be an absolute path"),
        ([task("a", workdir="~")], "tasks[0].workdir: '~' must be an absolute path"),
        ([task("a", workdir="/" + "x" * 256)], "has a name of 256 bytes in it"),
        ([task("a", command="x" * 256)], "tasks[0].command: 'xxx"),
        ([task("a"), task("b", command=None)], "tasks[1].command: is missing: it may be left out where"),
        ([task("a", image="")], "tasks[0].image: '' must be a reference to an image"),
        ([task("a"), task("b", image="Debian")], "tasks[1].image: 'Debian' must be a reference to an image"),
    ],
)
def test_a_job_that_breaks_a_rule_is_refused_with_place_and_rule(tasks: list[Task], words: str) -> None:
    assert words in refusal(*tasks)


def test_an_empty_working_directory_in_files_by_hand_is_the_usual_one_as_ever() -> None:
    job = admission.take(found(task("a", workdir="")), UID, settings())
    assert job.tasks["a"].workdir == ""


def test_more_cpus_than_the_host_has_are_refused_wherever_a_task_comes_from() -> None:
    host, greedy = Host(cpus=2), {"resources": {"cpus": 3}}
    job = live_job(task("a"))
    asked = TaskRequested(
        uid=UID, request="r", spec=TaskSpec(id="b", command="true", **greedy), parent=None, at=at(1)
    )
    view = JobView(job=found(state=JobState.FAILED).job, tasks=(task("a", **greedy),))
    for take in (
        lambda: admission.take(found(task("a", **greedy)), UID, settings(), host=host),
        lambda: admission.requested(asked, job, settings(), host=host),
        lambda: admission.take_again(view, OWNER, UID, None, settings(), at(1), host=host),
    ):
        with pytest.raises(BadInput, match=r"resources\.cpus: 3 is more than the host has"):
            take()


def test_a_job_with_too_many_tasks_is_refused_with_the_settings_name() -> None:
    assert "the job has 3 tasks, the limit is max_tasks = 2" in refusal(
        task("a"), task("b"), task("c"), max_tasks=2
    )


def test_users_that_can_not_share_a_work_folder_are_refused_when_a_job_is_taken_and_later() -> None:
    rules, able = settings(users=("1001",)), Sharing(manager=0, problem="its file system has no lists")
    tasks = (task("a"), task("b", user="1001"))
    with pytest.raises(BadInput, match=r"tasks\[1\].user: '1001' can't share .* no lists"):
        admission.take(found(*tasks), UID, rules, able)
    record = found(state=JobState.FAILED).job
    assert record is not None
    with pytest.raises(BadInput, match=r"tasks\[1\].user: '1001' can't share"):
        admission.take_again(JobView(job=record, tasks=tasks), OWNER, UID, None, rules, at(1), able)
    job = admission.take(found(task("a")), UID, rules, able)
    with pytest.raises(BadInput, match="user: '1001' can't share"):
        admission.requested(request(None, user="1001"), job, rules, able)
    admission.requested(request(None), job, rules, able)


def test_a_network_that_the_operator_allows_may_be_asked_for() -> None:
    admission.take(found(task("a", network="db")), UID, settings(networks=("db",)))


def test_what_somebody_wrote_about_attempts_and_failures_is_not_believed() -> None:
    attempt = Attempt(number=1, phase=Phase.RUNNING, container=Container(name="foreign", image="x"))
    lies = task("a", attempts=(attempt,)).model_copy(update={"job_name": "another"})
    failure = Failure(cause=Cause.EXIT, message="x")
    requests = (Decision(request="r", accepted=True, at=T0),)
    job = admission.take(found(lies, uid="f" * 32, failure=failure, requests=requests), UID, settings())
    assert job.tasks["a"].attempts == ()
    assert job.tasks["a"].job_name == "job"
    assert (job.uid, job.failure, job.requests) == (UID, None, {})


@pytest.mark.parametrize("word", ["network", "slot"])
def test_a_job_does_not_say_of_itself_whose_network_its_tasks_share(word: str) -> None:
    lies = {word: "anothers"}
    taken = admission.take(found(task("a"), **lies), UID, settings())
    record = found(state=JobState.FAILED, **lies).job
    assert record is not None
    view = JobView(job=record, tasks=(task("a", status=TaskStatus.SKIPPED),))
    tried_again = admission.take_again(view, OWNER, UID, None, settings(), at(1))
    for job in (taken, tried_again):
        assert job.job.network is None
        assert "anothers" not in job.job.model_dump_json()


def request(parent: AttemptKey | None, **fields: Any) -> TaskRequested:
    spec = TaskSpec(id="c", command="true", **fields)
    return TaskRequested(uid=UID, request="r", spec=spec, parent=parent, at=at(3))


def test_a_request_from_outside_is_taken_as_it_stands_where_the_operator_allows_it() -> None:
    fact = request(None, image="other:1", resources={"memory_mb": 4096}, retries=9)
    assert admission.requested(fact, live_job(task("a", network="none")), settings()) is fact


def test_a_request_of_a_task_gets_no_more_than_the_attempt_has_that_asks() -> None:
    job = live_job(task("a", network="none"))
    job.apply(claimed(key("a")))  # granted the job's network, and 60 s
    found = admission.requested(request(key("a")), job, settings())
    assert (found.spec.network, found.spec.timeout) == (None, 60)
    found = admission.requested(request(key("a", 2)), job, settings())
    assert (found.spec.network, found.spec.timeout) == ("none", None), "of an attempt that nobody knows"


def test_a_task_may_ask_for_images_of_tasks_that_the_job_was_written_with_but_not_of_queued_ones() -> None:
    job = live_job(task("a"), task("b", image="other:1"))
    job.apply(claimed(key("a")))
    job.apply(
        TaskRequested(uid=UID, request="q", spec=TaskSpec(id="q", command="x", image="third:1"), at=at(2))
    )
    admission.requested(request(key("a"), image="other:1"), job, settings())
    with pytest.raises(BadInput, match="image: 'third:1'"):
        admission.requested(request(key("a"), image="third:1"), job, settings())


def test_a_request_of_a_task_that_the_job_does_not_have_is_refused() -> None:
    with pytest.raises(BadInput, match="comes from task 'z', which the job does not have"):
        admission.requested(request(key("z")), live_job(), settings())


def test_what_a_task_queues_is_checked_as_the_user_that_it_will_run_as() -> None:
    mounts = {"team": {"path": "/srv/team", "users": ["7:7"]}, "own": {"path": "/srv/own", "users": ["1000"]}}
    rules = settings(mounts=mounts, users=("7",))
    job = live_job(task("a", user="7", mounts=["team"]))
    grant = policy.grant(job.tasks["a"], OWNER, "net", rules)
    job.apply(TaskClaimed(key=key("a"), container="airx-a", grant=grant, at=at(1)))
    found = admission.requested(request(key("a"), mounts=["team"]), job, rules)
    assert (found.spec.user, list(found.spec.mounts)) == ("7:7", ["team"])
    with pytest.raises(BadInput, match=r"mounts\.own: is not for user 7:7"):
        admission.requested(request(key("a"), mounts=["own"]), job, rules)


def test_tasks_that_ask_for_one_of_their_parents_gpus_do_not_all_get_the_same() -> None:
    rules = settings(gpus=3)
    job = live_job(task("a", resources={"gpus": 2}))
    grant = policy.grant(job.tasks["a"], OWNER, "net", rules).model_copy(update={"gpus": ("1", "2")})
    job.apply(TaskClaimed(key=key("a"), container="airx-a", grant=grant, at=at(1)))
    for name in "bcd":
        spec = TaskSpec(id=name, command="true", resources={"gpus": 1})  # type: ignore[arg-type]
        asked = TaskRequested(uid=UID, request=name, spec=spec, parent=key("a"), at=at(2))
        job.apply(admission.requested(asked, job, rules))
    got = [job.tasks[name].resources.gpus for name in "bcd"]
    assert set(got[:2]) == {("1",), ("2",)} and got[2] == got[0]


def test_a_later_attempt_with_other_gpus_asks_for_the_same_task() -> None:
    rules = settings(gpus=2)
    job = live_job(task("a", resources={"gpus": 1}, retries=1))
    grant = policy.grant(job.tasks["a"], OWNER, "net", rules)

    def asks(number: int, gpu: str) -> None:
        of = key("a", number)
        had = grant.model_copy(update={"gpus": (gpu,)})
        for fact in (TaskClaimed(key=of, container="airx-a", grant=had, at=at(1)), created(of), started(of)):
            job.apply(fact)
        asked = replace(request(of, resources={"gpus": 1}), request=f"r{number}")
        job.apply(admission.requested(asked, job, rules))
        for fact in (exited(of, 1), removed(of)):
            job.apply(fact)

    asks(1, "0")
    asks(2, "1")
    assert [decision.reason for decision in job.requests.values()] == [None, None]
    assert job.tasks["c"].resources.gpus == ("0",)


def test_a_job_that_was_refused_and_is_retried_gives_its_tasks_its_defaults() -> None:
    refused = JobRefused(
        name="job", job=found(defaults={"timeout": 5, "env": {"A": "1"}}).job, message="x", at=at(1)
    )
    view = JobView(job=admission.refused(refused), tasks=(task("a"), task("b", timeout=7)))
    job = admission.take_again(view, OWNER, UID, None, settings(), at(2))
    assert [(each.timeout, each.env) for each in job.tasks.values()] == [(5, {"A": "1"}), (7, {"A": "1"})]
    assert job.job.defaults is None


@pytest.mark.parametrize("defaults", [{"image": "debian:12"}, {"entrypoint": ["sh"]}], ids=str)
def test_what_runs_may_be_said_by_the_defaults_of_files_by_hand(defaults: dict[str, Any]) -> None:
    fact = found(Task.model_validate({"id": "a", "args": ["x"]}), defaults=defaults)
    job = admission.take(fact, UID, settings())
    assert job.tasks["a"].says_what_runs
    record = admission.refused(JobRefused(name="job", job=fact.job, message="x", at=at(1)))
    view = JobView(job=record, tasks=fact.tasks)
    assert admission.take_again(view, OWNER, UID, None, settings(), at(2)).tasks["a"].says_what_runs


def test_a_task_without_anything_to_run_is_refused_by_a_retry_too() -> None:
    view = JobView(job=found(state=JobState.FAILED).job, tasks=(task("a", command=None),))
    with pytest.raises(BadInput, match=r"tasks\[0\].command: is missing"):
        admission.take_again(view, OWNER, UID, None, settings(), at(2))


def test_defaults_that_break_a_rule_are_refused_by_a_retry_too() -> None:
    refused = JobRefused(name="job", job=found(defaults={"network": "host"}).job, message="x", at=at(1))
    view = JobView(job=admission.refused(refused), tasks=(task("a"),))
    with pytest.raises(BadInput, match="network"):
        admission.take_again(view, OWNER, UID, None, settings(), at(2))


def test_a_refused_job_is_failed_and_says_why() -> None:
    job = admission.refused(JobRefused(name="job", job=found().job, message="it is wrong", at=at(5)))
    assert job.state is JobState.FAILED
    assert job.failure == Failure(cause=Cause.BAD_INPUT, message="it is wrong")
    assert job.updated_at == at(5)


def test_a_folder_whose_state_can_not_be_read_is_refused_under_its_own_name() -> None:
    job = admission.refused(JobRefused(name="broken", job=None, message="is not JSON", at=at(5)))
    assert (job.name, job.state) == ("broken", JobState.FAILED)

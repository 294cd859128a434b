"""The engine's list of containers, against the record."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from air_executor.format.attempts import Phase
from manager.core.live_job import LiveJob
from manager.core.reconcile import CERTAIN_AFTER, Certain, Suspects, orphans, unnoticed, without_network
from manager.model import containers
from manager.model.facts import ContainersListed, Listed
from manager.model.values import WarmContainer
from tests.unit.manager.builders import (
    AHEAD,
    HOME,
    OWNER,
    UID,
    at,
    claimed,
    container,
    created,
    exited,
    foreseen,
    granted,
    key,
    live_job,
    removed,
    settings,
    started,
    task,
    voided,
    waits,
)
from tests.unit.manager.builders import network as network_of

OTHER = "f" * 32
B = key("b")


def listed(name: str, of: Any = None, ended: bool = False) -> Listed:
    spec = container(task(of.task), of)
    return Listed(container=name, name=spec.name, labels=spec.labels, ended=ended)


def network(uid: str, ended: bool = False) -> Listed:
    spec = network_of(uid)
    return Listed(container="net", name=spec.name, labels=spec.labels, ended=ended)


def running() -> LiveJob:
    job = live_job(task("a", retries=1), task("b"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
        job.apply(fact)
    return job


def test_containers_of_live_attempts_and_networks_of_live_jobs_serve() -> None:
    assert orphans([listed("c1", key("a")), network(UID)], {UID: running()}) == set()


@pytest.mark.parametrize(
    "container",
    [
        listed("x", key("a", uid=OTHER)),
        listed("x", key("a", 2)),
        listed("x", key("a", incarnation=2)),
        listed("x", key("b")),
        listed("x", key("stranger")),
        Listed(container="x", name="x", labels={}, ended=False),
        Listed(
            container="x",
            name="x",
            labels={"air-executor.role": "task", "air-executor.job-uid": UID},
            ended=False,
        ),
        Listed(
            container="x",
            name="x",
            labels={"air-executor.role": "unheard-of", "air-executor.job-uid": UID},
            ended=False,
        ),
        Listed(
            container="x",
            name="x",
            labels=network_of(OTHER).labels,
            ended=False,
        ),
    ],
    ids=[
        "other job",
        "later attempt",
        "later incarnation",
        "never claimed",
        "no such task",
        "no labels",
        "few labels",
        "unknown role",
        "network of another job",
    ],
)
def test_what_serves_no_live_attempt_and_no_live_job_is_an_orphan(container: Listed) -> None:
    assert orphans([container], {UID: running()}) == {"x"}


def test_a_container_whose_outcome_is_recorded_is_nobodys_orphan_until_it_was_removed() -> None:
    job = running()
    job.apply(exited(key("a"), 1))
    assert orphans([listed("c1", key("a"))], {UID: job}) == set()
    job.apply(removed(key("a")))
    assert orphans([listed("c1", key("a"))], {UID: job}) == {"c1"}


def test_the_container_of_the_attempt_before_is_an_orphan() -> None:
    job = running()
    for fact in (exited(key("a"), 1), removed(key("a")), claimed(key("a", 2))):
        job.apply(fact)
    assert orphans([listed("one", key("a", 1)), listed("two", key("a", 2))], {UID: job}) == {"one"}


def test_a_probe_that_a_killed_manager_left_behind_is_an_orphan() -> None:
    """The probe is over before the containers are listed: one that is listed serves nobody."""
    probe = containers.probe_container(Path("/probe"), "00ff", HOME, settings())
    assert orphans([Listed(container="p", name="p", labels=probe.labels, ended=True)], {UID: running()}) == {
        "p"
    }


def test_a_job_whose_network_is_held_is_not_without_one() -> None:
    assert without_network([network(UID)], {UID: running()}) == set()


@pytest.mark.parametrize("found", [[], [network(UID, ended=True)], [network(OTHER)]])
def test_running_tasks_whose_network_nobody_holds_any_more(found: list[Listed]) -> None:
    assert without_network(found, {UID: running()}) == {UID}


def test_a_job_where_nothing_runs_needs_no_network() -> None:
    assert without_network([], {UID: live_job(task("a"))}) == set()


def test_tasks_with_a_network_of_their_own_do_not_need_the_jobs() -> None:
    job = live_job(task("a", network="none"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a"))):
        job.apply(fact)
    assert without_network([], {UID: job}) == set()


def test_ends_that_nobody_has_noticed_are_found_in_the_engines_list() -> None:
    job = running()
    name = job.tasks["a"].attempts[-1].container.id
    assert name is not None
    assert unnoticed([listed(name, key("a"))], {UID: job}) == set()
    assert unnoticed([listed(name, key("a"), ended=True)], {UID: job}) == {key("a")}
    assert unnoticed([], {UID: job}) == {key("a")}


def test_a_container_that_waits_needs_its_network() -> None:
    job = live_job(task("a", network="none"), task("b", "a"))
    for fact in (claimed(key("a")), created(key("a")), started(key("a")), *AHEAD[Phase.CREATED]):
        job.apply(fact)
    assert without_network([], {UID: job}) == set(), "what was not started yet says so itself"
    job.apply(waits(B))
    assert without_network([], {UID: job}) == {UID}
    assert without_network([network(UID)], {UID: job}) == set()


def test_a_container_that_waits_serves_and_the_one_that_it_replaces_does_not() -> None:
    job = foreseen(Phase.WAITING)
    assert orphans([listed("c1", B)], {UID: job}) == set()
    job.apply(voided(B))
    again = listed("c2", key("b", incarnation=2))
    assert orphans([listed("c1", B), again], {UID: job}) == {"c1"}


def test_a_container_that_ended_at_its_gate_is_not_an_end_that_nobody_has_noticed() -> None:
    """It is found out when its task's turn has come; until then it is nobody's loss."""
    job = foreseen(Phase.WAITING)
    ran = job.tasks["a"].attempts[-1].container.id
    assert ran is not None
    assert unnoticed([listed(ran, key("a"))], {UID: job}) == set()


def warm_one(name: str) -> Listed:
    spec = containers.warm_container(name, granted(), HOME)
    return Listed(container=name, name=name, labels=spec.labels, ended=False)


def moved_in(warm: str) -> LiveJob:
    """A job whose first task got the warm container with this name."""
    job = live_job(task("a"))
    got = WarmContainer(warm, OWNER, "id", "sha256:image", at(0), at(0))
    job.apply(replace(claimed(key("a")), start="warm", warm=got))
    return job


def test_a_warm_container_serves_as_long_as_the_pool_or_an_attempt_has_it() -> None:
    warm = warm_one("airx-warm-1")
    assert orphans([warm], {}) == {"airx-warm-1"}
    assert orphans([warm], {}, pool={"airx-warm-1"}) == set()
    assert orphans([warm], {UID: moved_in("airx-warm-1")}) == set()
    assert orphans([warm], {UID: moved_in("airx-warm-2")}) == {"airx-warm-1"}


def test_a_container_from_when_warm_ones_were_called_slots_serves_the_attempt_that_has_it() -> None:
    old = Listed(
        container="old",
        name="airx-slot-ab12",
        labels={"air-executor.role": "slot", "air-executor.slot": "ab12"},
        ended=False,
    )
    assert orphans([old], {UID: moved_in("airx-slot-ab12")}) == set()
    assert orphans([old], {UID: moved_in("airx-warm-ab12")}) == {"old"}


def test_the_network_of_a_warm_container_serves_as_long_as_that_does() -> None:
    spec = containers.warm_network_container("airx-warm-1", HOME, settings())
    held = Listed(container="net", name=spec.name, labels=spec.labels, ended=False)
    assert orphans([held], {}) == {"net"}
    assert orphans([held], {}, pool={"airx-warm-1"}) == set()


def test_the_network_of_one_attempt_alone_serves_as_long_as_that_does() -> None:
    spec = containers.private_network_container(container(task("a"), key("a")), HOME, settings())
    held = Listed(container="net", name=spec.name, labels=spec.labels, ended=False)
    job = running()
    assert orphans([held], {UID: job}) == set()
    for fact in (exited(key("a"), 1), removed(key("a"))):
        job.apply(fact)
    assert orphans([held], {UID: job}) == orphans([held], {}) == {"net"}


NOBODYS = listed("x", key("a", uid=OTHER))


def looked(*found: Listed) -> ContainersListed:
    return ContainersListed(containers=found)


def test_what_looks_wrong_at_one_look_is_not_certain() -> None:
    suspects = Suspects(sweep_after=0)
    job = running()
    assert not suspects
    certain = suspects.review(looked(NOBODYS), {UID: job}, (), now=100)
    assert certain == Certain(frozenset(), frozenset(), frozenset())
    assert suspects, "there is something to look at again"


def test_what_has_looked_wrong_for_long_enough_is_certain() -> None:
    suspects = Suspects(sweep_after=0)
    job = running()
    suspects.review(looked(NOBODYS), {UID: job}, (), now=100)
    certain = suspects.review(looked(NOBODYS), {UID: job}, (), now=100 + CERTAIN_AFTER)
    assert certain == Certain(frozenset({"x"}), frozenset({UID}), frozenset({key("a")}))


def test_what_looked_right_in_between_is_suspected_anew() -> None:
    suspects = Suspects(sweep_after=0)
    suspects.review(looked(NOBODYS), {}, (), now=100)
    suspects.review(looked(), {}, (), now=101)
    assert not suspects
    assert not suspects.review(looked(NOBODYS), {}, (), now=102).orphans


def test_a_container_must_have_served_nobody_for_as_long_as_the_setting_says() -> None:
    suspects = Suspects(sweep_after=30)
    swept = [suspects.review(looked(NOBODYS), {}, (), now).orphans for now in (100, 129, 130)]
    assert swept == [frozenset(), frozenset(), {"x"}]

"""A task without network has the engine carry data out in the name of an image, and into the host's loopback.

A task may ask only for images that others chose, and none is pulled for it; for job writers the engine asks
no registry that is not public, unless the operator names it.
"""

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import Task, TaskSpec
from manager.core import admission, policy
from manager.engine.registries import Registries
from manager.model.facts import TaskRequested
from tests.unit.manager.builders import OWNER, T0, UID, at, claimed, key, live_job, settings, task
from tests.unit.manager.core.test_admission import found

MESSAGE = "127.0.0.1:47123/exfil/c2vjcmv0:k1"


@pytest.mark.parametrize("image", [MESSAGE, "evil.example/c2vjcmv0:k1", "library/c2vjcmv0", "debian:12"])
def test_a_task_chooses_no_image(image: str) -> None:
    job = live_job(task("a", image="mine:1"))
    job.apply(claimed(key("a")))
    spec = TaskSpec(id="b", command="true", image=image)
    fact = TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3))
    with pytest.raises(BadInput, match="queued_images"):
        admission.requested(fact, job, settings())


def test_nothing_is_pulled_for_what_a_task_queued_even_where_a_pattern_lets_it_choose() -> None:
    job = live_job(task("a"))
    job.apply(claimed(key("a")))
    spec = TaskSpec(id="b", command="true", image="evil.example/c2vjcmv0:k1")
    rules = settings(queued_images=("evil.example/*",))
    fact = TaskRequested(uid=UID, request="r", spec=spec, parent=key("a"), at=at(3))
    job.apply(admission.requested(fact, job, rules))
    assert not policy.grant(job.tasks["b"], OWNER, "net", rules).pull


def test_a_job_does_not_say_of_itself_which_task_queued_what() -> None:
    lies = task("a", parent="b", request="r")
    assert admission.take(found(lies), UID, settings()).tasks["a"].parent is None


@pytest.mark.parametrize(
    "image",
    [
        MESSAGE,
        "localhost:47123/exfil/x",
        "LOCALHOST/x",
        "[::1]:47123/x",
        "[::ffff:7f00:1]:47123/x",
        "2130706433:47123/x",
        "0x7f000001:47123/x",
        "127.1:47123/x",
        "169.254.169.254/latest/meta-data",
        "10.0.0.1/x",
        "airflow:8080/x",
        "host.docker.internal:8080/x",
    ],
)
def test_no_request_goes_to_the_host_or_its_neighbours_but_by_the_operators_word(image: str) -> None:
    def never(host: str) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    assert "setting `registries`" in (Registries(("public",), "runner:1", never).refusal(image) or "")
    assert Registries((image.partition("/")[0],), "runner:1", never).refusal(image) is None


def test_nor_by_a_public_name_that_leads_there() -> None:
    found = Registries(("public",), "runner:1", lambda host: ["127.0.0.1"]).refusal(
        "127.0.0.1.nip.io:47123/x"
    )
    assert "127.0.0.1, which is no public address" in (found or "")


def test_what_the_operator_does_not_list_is_no_image_of_a_job_writers_either() -> None:
    with pytest.raises(BadInput, match="setting `images`"):
        admission.take(found(task("a", image="debian:5000/evil:1")), UID, settings(images=("debian:*",)))


def test_the_image_of_a_queued_task_may_be_its_parents() -> None:
    spec = TaskSpec(id="b", command="true", image="mine:1")
    parent = policy.Parent.of(task("a", image="mine:1"), 1, OWNER, frozenset(), settings())
    found = policy.bounded(spec, parent, OWNER, settings())
    assert policy.grant(Task.of(found, "job", T0), OWNER, "net", settings()).image == "mine:1"

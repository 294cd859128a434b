"""Labels by which a container is found again, and digests by which its words are compared."""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from manager.model import container_spec, containers
from tests.unit.manager.builders import HOME, UID, granted, key, spec


def test_labels_tell_whose_container_it_is() -> None:
    assert spec().labels == {
        "air-executor.home-id": HOME.id,
        "air-executor.home": str(HOME.path),
        "air-executor.job": "job",
        "air-executor.job-uid": UID,
        "air-executor.task": "a",
        "air-executor.attempt": "2",
        "air-executor.incarnation": "1",
        "air-executor.role": "task",
    }


def test_the_key_comes_back_from_the_labels() -> None:
    assert container_spec.key_of(spec().labels) == key("a", 2)


@pytest.mark.parametrize("change", [{"air-executor.attempt": "x"}, {"air-executor.attempt": None}])
def test_labels_that_are_not_a_tasks_have_no_key(change: dict[str, Any]) -> None:
    labels = {name: value for name, value in (spec().labels | change).items() if value is not None}
    assert container_spec.key_of(labels) is None


def test_a_container_without_a_limit_for_files_has_the_digest_that_older_managers_gave_it() -> None:
    without = replace(spec(), file_bytes=None, secrets_bytes=None)
    before = asdict(without)
    for newer in (*container_spec.NEWER, "pull"):
        del before[newer]
    digest = hashlib.sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()[:16]
    assert without.digest == digest != spec().digest


def test_equal_words_have_equal_digests_and_others_do_not() -> None:
    assert spec().digest == spec().digest
    digests = {
        found.digest
        for found in (
            spec(),
            spec(env={"A": "1"}),
            spec(command="false"),
            spec(image="other"),
            spec(network="none"),
            spec(workdir="/"),
            spec(user="7", limits={"users": ("7",)}),
            spec(resources={"memory_mb": 99}),
            spec(limits={"tmp_mb": 1}),
        )
    }
    assert len(digests) == 9


def test_where_its_image_may_come_from_is_none_of_a_containers_words() -> None:
    assert replace(spec(), pull=False).digest == spec().digest


@pytest.mark.parametrize("name", ["airx-warm-ab12", "airx-warm-ab12-spare"])
def test_the_name_of_a_warm_container_comes_back_from_the_labels(name: str) -> None:
    assert container_spec.warm_of(containers.warm_container(name, granted(), HOME).labels) == name


def test_a_warm_container_from_when_it_was_called_a_slot_has_its_name_of_then() -> None:
    assert container_spec.warm_of({"air-executor.slot": "ab12"}) == "airx-slot-ab12"


def test_a_container_that_is_not_warm_has_no_such_name() -> None:
    assert container_spec.warm_of(spec().labels) is None

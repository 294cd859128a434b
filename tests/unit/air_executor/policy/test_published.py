"""The operator's rules as others read them."""

import json

import pytest

from air_executor.policy import Policy
from air_executor.policy.published import SCHEMA, published_text, read_published
from manager.settings import Settings
from tests.unit.manager.builders import settings


def test_who_reads_them_has_the_rules_of_the_settings() -> None:
    rules = settings(images=("debian:*",), users=("1000",), max_cpus=2.0, job_uids="5000-5999")
    found = read_published(published_text(rules).encode())
    assert found is not None
    assert found == Policy(**{name: getattr(rules, name) for name in Policy.model_fields})


def test_nothing_else_of_the_settings_is_told() -> None:
    told = json.loads(published_text(settings(unreachable=["10.1.2.3/32"])))
    assert set(told["policy"]) == set(Policy.model_fields)
    assert told["policy"].keys() < Settings.model_fields.keys()


def test_rules_that_are_not_known_are_passed_over_and_those_that_are_missing_bound_nothing() -> None:
    text = json.dumps({"schema": SCHEMA, "policy": {"max_cpus": 2, "max_of_tomorrow": 1}, "more": 1})
    assert read_published(text.encode()) == Policy(max_cpus=2)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"policy": {"images": 7}}', b'{"schema": 2, "policy": {}}', b"\xff"]
)
def test_what_can_not_be_understood_is_none(text: bytes) -> None:
    assert read_published(text) is None

"""A job writer puts into /etc/hosts and /etc/resolv.conf what is no name and no address; or far too much."""

from typing import Any

import pytest
from pydantic import ValidationError

from air_executor.format.models import Task, TaskSpec
from tests.unit.manager.builders import T0


@pytest.mark.parametrize(
    "fields",
    [
        {"hosts": {"db\n10.0.0.1 registry": "10.0.0.5"}},
        {"hosts": {"db": "10.0.0.5\n10.0.0.6 registry"}},
        {"hosts": {"db": "host-gateway"}},
        {"hosts": {"db": "fe80::1%eth0"}},
        {"hosts": {"db": "10.0.0.5 # "}},
        {"hosts": {"localhost": "10.0.0.5"}},
        {"hosts": {"LOCALHOST": "10.0.0.5"}},
        {"hosts": {"DB": "10.0.0.5", "db": "10.0.0.6"}},
        {"hosts": {"-db": "10.0.0.5"}},
        {"hosts": {"d b": "10.0.0.5"}},
        {"hosts": {"": "10.0.0.5"}},
        {"hosts": {"a" * 64: "10.0.0.5"}},
        {"hosts": {"d\u00fc": "10.0.0.5"}},
        {"hosts": {"db": 167772165}},
        {"hosts": {f"h{number}": "10.0.0.5" for number in range(10_000)}},
        {"hosts": [["db", "10.0.0.5"]]},
        {"dns": ["10.0.0.53\noptions rotate"]},
        {"dns": ["ns.example"]},
        {"dns": ["10.0.0.1"] * 4},
        {"dns": "10.0.0.1"},
        {"dns_search": ["corp.example\nnameserver 10.0.0.1"]},
        {"dns_search": ["a b"]},
        {"dns_search": ["a" * 60] * 5},
        {"dns_search": ["a"] * 7},
        {"hostname": "a\nb"},
        {"hostname": "a" * 64},
        {"hostname": "../x"},
        {"hostname": "localhost"},
        {"runtime": "../../bin/sh"},
        {"runtime": "a" * 65},
        {"runtime": ""},
        {"ulimits": {"nproc": 10}},
        {"ulimits": {"NOFILE": 100}},
        {"ulimits": {"nofile": -1}},
        {"ulimits": {"nofile": 10}},
        {"ulimits": {"nofile": 1 << 63}},
        {"ulimits": {"nofile": True}},
        {"ulimits": {"nofile": {"soft": 200, "hard": 100}}},
        {"ulimits": {"nofile": {"soft": 200}}},
        {"ulimits": {"nofile": {"soft": 100, "hard": 200, "more": 1}}},
        {"ulimits": {str(number): 1 for number in range(10_000)}},
        {"ulimits": [100]},
        {"resources": {"gpus": 0}},
        {"resources": {"gpus": -1}},
        {"resources": {"gpus": 65}},
        {"resources": {"gpus": True}},
        {"resources": {"gpus": 1.0}},
        {"resources": {"gpus": "all"}},
        {"resources": {"gpus": []}},
        {"resources": {"gpus": ["0", "0"]}},
        {"resources": {"gpus": ["0,1"]}},
        {"resources": {"gpus": ["0\n"]}},
        {"resources": {"gpus": [0]}},
        {"resources": {"gpus": ["0"] * 10_000}},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_it_is_refused_in_a_request_and_in_a_file_written_by_hand(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaskSpec(id="a", command="true", **fields)
    with pytest.raises(ValidationError):
        Task(id="a", command="true", job_name="job", created_at=T0, **fields)

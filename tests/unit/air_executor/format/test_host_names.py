"""Names of hosts, as they are asked for; what is refused: attempts/test_44_names_that_forge_files.py."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.documents import validate
from air_executor.format.host_names import MOST_DOMAINS, MOST_HOSTS, MOST_SERVERS
from air_executor.format.models import TaskSpec


def test_names_and_addresses_have_one_form() -> None:
    spec = TaskSpec(id="a", command="true", hosts={"DB.Internal": "FD00:0::5", "v4": "10.0.0.5"})
    assert spec.hosts == {"db.internal": "fd00::5", "v4": "10.0.0.5"}


def test_as_many_as_there_may_be() -> None:
    TaskSpec(
        id="a",
        command="true",
        hosts={f"h{number}": "10.0.0.5" for number in range(MOST_HOSTS)},
        dns=["10.0.0.53"] * MOST_SERVERS,
        dns_search=["corp.example"] * MOST_DOMAINS,
        network="private",
        hostname="a" * 63,
    )


@pytest.mark.parametrize("name", ["a\nb", "localhost", "a_b"])
def test_what_is_no_host_name_is_said_once(name: str) -> None:
    with pytest.raises(BadInput, match=r"^hostname: .* (must be|is no) ") as error:
        validate(TaskSpec, {"id": "a", "command": "true", "hostname": name})
    assert str(error.value).count(repr(name)) == 1

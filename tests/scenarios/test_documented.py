"""Every example in docs/jobs/ is a job that ends as its page says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from air_executor.cli import jobs
from air_executor.errors import BadInput
from tests.real_manager import RealManager, real_manager
from tests.scenarios import documented
from tests.scenarios.documented import Example


@pytest.fixture(scope="module")
def srv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages call /srv."""
    return tmp_path_factory.mktemp("srv")


@pytest.fixture(scope="module")
def manager(srv: Path) -> Iterator[RealManager]:
    text = documented.config()
    for folder in re.findall(r'"/srv/([^"]*)/"', text):
        (srv / folder).mkdir(parents=True, exist_ok=True)
        (srv / folder).chmod(0o777)
    for secret in re.findall(r'file = "/srv/([^"]*[^/])"', text):
        (srv / secret).parent.mkdir(parents=True, exist_ok=True)
        (srv / secret).write_text("s3cret-of-the-test\n")
    with real_manager(config=text.replace("/srv/", f"{srv}/")) as manager:
        yield manager


@pytest.mark.parametrize("example", documented.examples(), ids=lambda example: example.name)
def test_example(example: Example, manager: RealManager, srv: Path, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(example.text.replace("/srv/", f"{srv}/"))
    if example.state == "refused":
        with pytest.raises(BadInput):
            jobs.create(manager.client, str(file))
        return
    try:
        jobs.create(manager.client, str(file))
        view = manager.client.wait(example.name, timeout=60)
        assert view.state == example.state, view.job.failure
    except BaseException:
        print(manager.evidence())
        raise

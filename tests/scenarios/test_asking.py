"""The commands in docs/jobs/asking.md print what the page says."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_manager import ROOT, RealManager, real_manager
from tests.scenarios.documented import DOCS

PAGE = (DOCS / "asking.md").read_text()
RUNS = re.findall(r"^```sh run\n(.*?)^```$.*?^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONFIG = "".join(re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    with real_manager(config=CONFIG) as manager:
        yield manager


@pytest.mark.parametrize(("commands", "printed"), RUNS, ids=range(len(RUNS)))
def test_what_the_page_says_is_printed(
    commands: str, printed: str, manager: RealManager, tmp_path: Path
) -> None:
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    told = subprocess.run(
        ["sh", "-c", commands],
        cwd=tmp_path,
        env=os.environ | {"AIR_EXECUTOR_HOME": str(manager.home), "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.stdout == printed, manager.evidence()


def test_the_page_has_them() -> None:
    assert len(RUNS) == PAGE.count("```sh run\n") == 4

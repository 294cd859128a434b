"""Where everything is in a home folder."""

from pathlib import Path

import pytest

from manager.model.home import GateFolder, Home

HOME = Home("00d1ed0ddba11000", Path("/srv/air-executor"))


def below_home(path: Path) -> str:
    return str(path.relative_to(HOME.path))


def test_every_folder_is_below_the_home_folder() -> None:
    folders = (HOME.jobs, HOME.journal, HOME.probe, HOME.pool, HOME.old_pool, HOME.gates, HOME.gate_program)
    assert list(map(below_home, folders)) == [
        "jobs",
        "journal",
        "probe",
        "jobs/.warm",
        "jobs/.slots",
        "gates",
        "gates/bin/gate",
    ]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("airx-warm-ab12", "jobs/.warm/airx-warm-ab12"),
        ("airx-slot-ab12", "jobs/.slots/ab12"),
    ],
)
def test_a_warm_container_has_its_folders_by_its_name_also_by_that_of_when_it_was_called_a_slot(
    name: str, folder: str
) -> None:
    assert below_home(HOME.warm(name)) == folder


def test_folders_of_warm_containers_are_beside_those_of_jobs_so_that_they_can_be_renamed_into_them() -> None:
    assert {HOME.pool.parent, HOME.old_pool.parent} == {HOME.jobs}


def test_a_container_has_a_gate_of_its_own() -> None:
    assert HOME.gate("airx-a-1") == GateFolder(HOME.gates / "airx-a-1")
    assert HOME.gate("airx-a-1") != HOME.gate("airx-b-1")


def test_the_token_that_is_kept_is_outside_of_the_folders_that_the_container_has() -> None:
    gate = HOME.gate("c")
    assert (below_home(gate.control), below_home(gate.receipt)) == ("gates/c/control", "gates/c/receipt")
    assert gate.fifo.parent == gate.control
    assert gate.token.parent == gate.path

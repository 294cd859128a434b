"""Where everything is in a home folder."""

from pathlib import Path

from manager.model.home import GateFolder, Home

HOME = Home("00d1ed0ddba11000", Path("/srv/air-executor"))


def below_home(path: Path) -> str:
    return str(path.relative_to(HOME.path))


def test_every_folder_is_below_the_home_folder() -> None:
    folders = (
        HOME.jobs,
        HOME.journal,
        HOME.probe,
        HOME.works,
        *HOME.old_pools,
        HOME.gates,
        HOME.gate_program,
    )
    assert list(map(below_home, folders)) == [
        "jobs",
        "journal",
        "probe",
        "work",
        "jobs/.warm",
        "jobs/.slots",
        "gates",
        "gates/bin/gate",
    ]


def test_what_containers_mount_lies_where_no_writer_of_jobs_reaches_it() -> None:
    mounted = (HOME.work("job~0123"), HOME.gate("airx-a-1").inbox, HOME.gate("airx-a-1").receipt)
    assert list(map(below_home, mounted)) == [
        "work/job~0123",
        "gates/airx-a-1/inbox",
        "gates/airx-a-1/receipt",
    ]
    assert not any(HOME.jobs in folder.parents for folder in mounted)


def test_a_container_has_a_gate_of_its_own() -> None:
    assert HOME.gate("airx-a-1") == GateFolder(HOME.gates / "airx-a-1")
    assert HOME.gate("airx-a-1") != HOME.gate("airx-b-1")


def test_the_token_that_is_kept_is_outside_of_the_folders_that_the_container_has() -> None:
    gate = HOME.gate("c")
    assert (below_home(gate.control), below_home(gate.receipt)) == ("gates/c/control", "gates/c/receipt")
    assert gate.fifo.parent == gate.control
    assert gate.token.parent == gate.path

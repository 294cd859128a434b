"""The volumes that an image declares, and what takes their place."""

import pytest

from manager.engine.docker import volumes

FOLDERS = ("/work", "/inbox", "/.air-executor/receipt")


@pytest.mark.parametrize(
    ("image", "places"),
    [
        ({"Config": {"Volumes": {"/b/": {}, "/a/../a": {}}}}, ["/a", "/b"]),
        ({"Config": {"Volumes": None}}, []),
        ({"Config": {}}, []),
        ({"Config": None}, []),
        ({}, []),
    ],
)
def test_an_images_volumes_are_read_from_its_inspection(image: dict[str, object], places: list[str]) -> None:
    assert volumes.declared(image) == places


def test_each_is_an_empty_folder_that_can_not_be_written_unless_something_is_mounted_there() -> None:
    assert volumes.in_their_place(["/data", "/work"], FOLDERS) == {"/data": volumes.EMPTY}
    assert set(volumes.EMPTY.split(",")) >= {"ro", "nosuid", "nodev", "noexec"}


@pytest.mark.parametrize("usable", [[], ["/work"], ["/data", "/workshop"], ["/tmp/x"], ["/.air-executor"]])
def test_most_can_be_used(usable: list[str]) -> None:
    assert volumes.unusable(usable, FOLDERS) is None


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (["/work/deep/er"], "'/work/deep/er', which lies in the task's own /work"),
        (["data"], "'data', which is no folder below /"),
        (["/"], "'/', which is no folder below /"),
        ([f"/v{number}" for number in range(33)], "33 volumes, and 32 are the most"),
    ],
)
def test_some_can_not(declared: list[str], words: str) -> None:
    found = volumes.unusable(declared, FOLDERS)
    assert found is not None
    assert words in found

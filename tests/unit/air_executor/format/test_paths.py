"""Paths that no Linux can have, and folders that a command can't begin in."""

import pytest

from air_executor.format.paths import MAX_NAME, MAX_PATH, check_folder, check_path


@pytest.mark.parametrize(
    "path", ["/", "/work", "/work/a b", "/work/../etc", "/work/\n", "/" + "x" * MAX_NAME, "/é" * 1365]
)
def test_an_absolute_path_is_returned_as_it_stands(path: str) -> None:
    assert check_folder(path) == path


@pytest.mark.parametrize("path", ["", ".", "..", "rel", "rel/x", "~", "~/x", "$HOME", "C:\\work", " /work"])
def test_any_other_is_no_folder_to_begin_in(path: str) -> None:
    with pytest.raises(ValueError, match="must be an absolute path, such as /work/repo"):
        check_folder(path)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/x" * 2048, f"has 4096 bytes, and a path at most {MAX_PATH}"),
        ("/é" * 1366, f"has 4098 bytes, and a path at most {MAX_PATH}"),
        ("/work/" + "x" * 256 + "/y", f"has a name of 256 bytes in it, .* at most {MAX_NAME}"),
        ("é" * 128, "has a name of 256 bytes in it"),
    ],
)
def test_what_is_too_long_is_told_with_its_bytes(path: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_path(path)

"""What is added to the accounts of an image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.engine.docker.accounts import Completed, File, ImageAccounts, completed
from manager.model.values import Owner

PASSWD = b"root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/usr/sbin/nologin\n"
GROUP = b"root:x:0:\nwww:x:33:ann,bob\n"


def image(passwd: bytes = PASSWD, group: bytes = GROUP) -> ImageAccounts:
    return ImageAccounts(File("/etc/passwd", passwd), File("/etc/group", group))


def added(found: Completed, name: str, before: bytes) -> str:
    content = found.files[name].content
    assert content.startswith(before)
    return content[len(before) :].decode()


def test_whom_the_image_does_not_know_is_added_below_what_it_says() -> None:
    found = completed(image(), Owner(1000, 2000))
    assert found.user == "task"
    assert added(found, "passwd", PASSWD) == "task:x:1000:2000:Air-Executor task:/tmp:/bin/sh\n"
    assert added(found, "group", GROUP) == "task:x:2000:\n"


def test_whom_the_image_knows_keeps_the_name_and_nothing_is_added() -> None:
    assert completed(image(), Owner(33, 33)) == Completed("www", {})


def test_user_and_group_are_looked_for_each_for_itself() -> None:
    assert completed(image(), Owner(33, 2000)).files.keys() == {"group"}
    assert completed(image(), Owner(2000, 33)).files.keys() == {"passwd"}


def test_of_two_with_the_same_number_the_first_counts() -> None:
    passwd = b"one:x:5:5::/:/bin/sh\ntwo:x:5:5::/:/bin/sh\n"
    assert completed(image(passwd), Owner(5, 0)).user == "one"


def test_an_image_without_any_gets_those_of_the_task_alone() -> None:
    found = completed(image(b"", b""), Owner(1000, 1000))
    assert found.files["passwd"].content.count(b"\n") == 1
    assert found.files["group"].content == b"task:x:1000:\n"


def test_a_last_line_without_an_end_stays_a_line_of_its_own() -> None:
    found = completed(image(PASSWD.rstrip(), GROUP.rstrip()), Owner(1000, 1000))
    assert found.files["passwd"].content.splitlines()[:2] == PASSWD.splitlines()
    assert found.files["group"].content.splitlines()[:2] == GROUP.splitlines()


@pytest.mark.parametrize(
    ("names", "free"),
    [
        (["tasks"], "task"),
        (["task"], "task1000"),
        (["task", "task1000"], "task1000-"),
        (["#task"], "task"),
    ],
)
def test_a_name_that_is_taken_is_not_given_twice(names: list[str], free: str) -> None:
    passwd = "".join(f"{name}:x:7:7::/:/bin/sh\n" for name in names).encode()
    assert completed(image(passwd), Owner(1000, 0)).user == free


@pytest.mark.parametrize(
    "line",
    [
        b"#app:x:1000:1000::/:/bin/sh",
        b"app:x:1000",
        b"app:x:1000:1000::/",
        b"app:x:01000x:1000::/:/bin/sh",
        b":x:1000:1000::/:/bin/sh",
        b"+app:x:1000:1000::/:/bin/sh",
        b"a\0p:x:1000:1000::/:/bin/sh",
        b"a" * 300 + b":x:1000:1000::/:/bin/sh",
    ],
)
def test_what_is_no_account_names_nobody(line: bytes) -> None:
    assert completed(image(line + b"\n"), Owner(1000, 0)).user == "task"


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 2**31), st.integers(1, 2**31))
def test_whatever_an_image_says_its_words_stand_and_the_name_can_be_a_variables(
    passwd: bytes, group: bytes, uid: int, gid: int
) -> None:
    found = completed(image(passwd, group), Owner(uid, gid))
    for name, before in (("passwd", passwd), ("group", group)):
        if name in found.files:
            assert found.files[name].content.startswith(before)
            assert found.files[name].content.endswith(b"\n")
    assert found.user
    assert "\0" not in found.user
    assert completed(
        ImageAccounts(*(found.files.get(n, File(n, b)) for n, b in _both(passwd, group))), Owner(uid, gid)
    ) == Completed(found.user, {})


def _both(passwd: bytes, group: bytes) -> list[tuple[str, bytes]]:
    return [("passwd", passwd), ("group", group)]


@pytest.mark.parametrize(
    "place", ["/proc/1/maps", "/sys/x", "/dev/null", "/tmp/passwd", "/work/passwd", "/work"]
)
def test_what_lies_where_a_container_has_something_else_can_not_be_replaced(place: str) -> None:
    found = ImageAccounts(File(place, b""), File("/etc/group", b""))
    assert place in (found.problem(("/work", "/inbox")) or "")


def test_what_lies_elsewhere_can_be_replaced_wherever_it_is() -> None:
    found = ImageAccounts(File("/workshop/passwd", b""), File("/nix/store/group", b""))
    assert found.problem(("/work", "/inbox")) is None


def test_one_file_can_not_be_both() -> None:
    same = File("/etc/group", b"")
    assert ImageAccounts(same, same).problem(()) == "/etc/passwd and /etc/group are one file"

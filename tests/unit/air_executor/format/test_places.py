"""Where in a container something may be mounted."""

import pytest

from air_executor.format import places


@pytest.mark.parametrize(
    "place",
    [
        "/data",
        "/mnt/a:b+c",
        "/var/lib/x",
        "/usr/local/share",
        "/etc/app",
        "/tmp/.cache",
        "/opt",
        "/run/x",
        "/workshop",
    ],
)
def test_places_that_a_task_may_have(place: str) -> None:
    assert places.check_place(place) == place


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("data", "absolute"),
        ("", "absolute"),
        ("/data/", "absolute"),
        ("//data", "absolute"),
        ("/a//b", "absolute"),
        ("/a/../work", "absolute"),
        ("/a/./b", "absolute"),
        ("/a\nb", "printed"),
        ("/a\x1b[2J", "printed"),
        ("/" + "a" * 300, "name of 300 bytes"),
        ("/a" * 600, "at most 1024"),
        ("/", "taken: every container has /work"),
        ("/work", "taken: every container has /work"),
        ("/work/x", "taken: every container has /work"),
        ("/inbox", "taken"),
        ("/.air-executor/control", "taken"),
        ("/proc/1", "taken"),
        ("/sys", "taken"),
        ("/dev/shm", "taken"),
        ("/run", "taken: every container has /run/secrets"),
        ("/run/secrets/db", "taken"),
        ("/etc", "taken: every container has /etc/passwd"),
        ("/etc/passwd", "taken"),
        ("/etc/resolv.conf/x", "taken"),
        ("/tmp", "would hide /tmp"),
        ("/usr", "would hide /usr/bin"),
        ("/lib64", "would hide /lib64"),
        ("/etc/ssl", "would hide /etc/ssl"),
    ],
)
def test_places_that_nobody_may_have(place: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        places.check_place(place)


def test_two_of_which_one_lies_in_the_other_overlap() -> None:
    assert places.overlap(["/b", "/a/b", "/a"]) == ("/a", "/a/b")
    assert places.overlap(["/a", "/a"]) == ("/a", "/a")
    assert places.overlap(["/a", "/ab", "/a-b/c", "/b/a"]) is None
    assert places.overlap([]) is None

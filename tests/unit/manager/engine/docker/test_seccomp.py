"""Which system calls a container may make, by what the profile says of a call's name and arguments."""

import json
from typing import Any

import pytest

from manager.engine.docker import seccomp

MACHINES = sorted(seccomp.ARCHITECTURES)
O_CREAT, O_TMPFILE, O_DIRECTORY = 0o100, 0o20200000, 0o200000
MODE_PLACES = [
    ("chmod", 1),
    ("fchmod", 1),
    ("fchmodat", 2),
    ("fchmodat2", 2),
    ("creat", 1),
    ("mknod", 1),
    ("mknodat", 2),
]


def answer(name: str, *arguments: int, machine: str = "x86_64") -> str | int:
    """`allowed`, or the error number that is answered."""
    text = seccomp.profile(machine)
    assert text is not None
    profile = json.loads(text)
    for rule in profile["syscalls"]:
        if name in rule["names"] and all(_holds(each, arguments) for each in rule.get("args", [])):
            return "allowed" if rule["action"] == "SCMP_ACT_ALLOW" else int(rule["errnoRet"])
    return int(profile["defaultErrnoRet"])


def _holds(condition: dict[str, Any], arguments: tuple[int, ...]) -> bool:
    value = arguments[condition["index"]]
    if condition["op"] == "SCMP_CMP_MASKED_EQ":
        return bool(value & condition["value"] == condition["valueTwo"])
    assert condition["op"] == "SCMP_CMP_EQ"
    return bool(value == condition["value"])


def with_mode(place: int, mode: int) -> list[int]:
    return [0] * place + [mode]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "place"), MODE_PLACES)
def test_no_call_gives_a_file_a_setuid_or_setgid_bit(name: str, place: int, machine: str) -> None:
    for mode in (0o4755, 0o2755, 0o6000, 0o106755, 1 << 40 | 0o4000):
        assert answer(name, *with_mode(place, mode), machine=machine) == seccomp.EPERM


@pytest.mark.parametrize(("name", "place"), MODE_PLACES)
def test_other_modes_are_everybodys(name: str, place: int) -> None:
    for mode in (0, 0o644, 0o755, 0o1777, 0o100644):
        assert answer(name, *with_mode(place, mode)) == "allowed"


@pytest.mark.parametrize(("name", "before"), [("open", [0]), ("openat", [-100, 0])])
def test_a_file_is_opened_with_any_bits_in_a_mode_that_does_not_count(name: str, before: list[int]) -> None:
    def opened(flags: int, mode: int) -> str | int:
        return answer(name, *before, flags, mode)

    assert opened(0, 0o6755) == opened(O_DIRECTORY, 0o6755) == "allowed"
    assert opened(O_CREAT, 0o644) == opened(O_TMPFILE, 0o600) == "allowed"
    for flags in (O_CREAT, O_TMPFILE, O_CREAT | 0o1102, 1 << 40 | O_CREAT):
        for mode in (0o4755, 0o2755, 1 << 40 | 0o6755):
            assert opened(flags, mode) == seccomp.EPERM


@pytest.mark.parametrize("name", ["openat2", "clone3", "socketcall"])
def test_what_takes_its_arguments_from_memory_is_unknown(name: str) -> None:
    assert answer(name, 0, 0, 0, 0) == seccomp.ENOSYS


@pytest.mark.parametrize(
    "name",
    [
        "io_uring_setup",
        "io_uring_enter",
        "mount",
        "unshare",
        "setns",
        "open_by_handle_at",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "keyctl",
        "add_key",
        "kexec_load",
        "init_module",
        "pidfd_getfd",
        "reboot",
        "swapon",
        "quotactl",
        "a_call_of_the_future",
    ],
)
@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_not_named_is_refused(name: str, machine: str) -> None:
    assert answer(name, 0, 0, 0, machine=machine) == seccomp.EPERM


def test_no_new_namespaces_but_threads_and_processes() -> None:
    threads, processes = 0x3D0F00, 0x1200011
    assert answer("clone", threads) == answer("clone", processes) == "allowed"
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer("clone", bit | 17) == seccomp.EPERM


def test_sockets_are_of_the_families_that_programs_use_and_the_number_is_looked_at_whole() -> None:
    assert [family for family in range(64) if answer("socket", family) == "allowed"] == [1, 2, 10, 16]
    vsock = 40
    assert answer("socket", 1 << 32 | vsock) == seccomp.EPERM, "the kernel would cut it to vsock"


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_is_named_twice(machine: str) -> None:
    named = [*" ".join(seccomp.ALLOWED).split(), *seccomp.OF_ONE_MACHINE[machine].split()]
    assert len(named) == len(set(named))
    assert not set(named) & {*seccomp.MODE_AT, *seccomp.FLAGS_AND_MODE_AT, *seccomp.BY_STRUCTURE, "socket"}


def test_every_way_to_execute_on_a_machine_is_under_the_filter() -> None:
    for machine, own in (("x86_64", "SCMP_ARCH_X86_64"), ("aarch64", "SCMP_ARCH_AARCH64")):
        text = seccomp.profile(machine)
        assert text is not None
        assert json.loads(text)["architectures"][0] == own
    assert seccomp.profile("s390x") is None, "its calls have another order of arguments"

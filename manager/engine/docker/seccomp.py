"""PURE. Which system calls a container may make: a seccomp profile, as the Docker API takes one.

What is not named here is refused; what the kernel learns later is answered as one that does not know it yet.
It is meant for containers without capabilities, and holds back more than the engine's own profile does:

- no file gets a setuid or setgid bit, as whatever a task leaves in its job's folder is seen by the host, too;
- sockets are of the few families that programs of today use.

A filter sees the numbers that a call is given and not what they point to. So whatever does the same by a
structure in memory must not be there. `openat2` and `clone3` are answered as unknown, upon which programs
fall back to `openat` and `clone`; io_uring is refused. `socketcall`, for some 32-bit programs on x86 the only
way to a network, is answered so as well: libseccomp would allow it to whomever `socket` is allowed.
`mkdir` needs no rule: it takes no such bits.
"""

import json
from functools import cache
from typing import Any

ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}
"""What a machine, as the engine calls it, can execute. Arguments have one order on all of these, and flags
one value."""
OF_ONE_MACHINE = {
    "x86_64": "arch_prctl",
    "aarch64": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
}

EPERM, ENOSYS = 1, 38

SETUID_OR_SETGID = 0o6000
CREATES = 0o100 | 0o20000000
"""O_CREAT, and the bit of O_TMPFILE that no other flag has: without them `open` has no mode."""
NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux as it is, with 32 bits, with UNAME26, with both; and to ask which it is."""

FILES = """
    access faccessat faccessat2 chdir fchdir getcwd close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl
    stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
    chown chown32 fchown fchown32 lchown lchown32 fchownat umask utime utimes futimesat utimensat
    utimensat_time64 link linkat symlink symlinkat readlink readlinkat unlink unlinkat
    rename renameat renameat2 mkdir mkdirat rmdir getdents getdents64 name_to_handle_at
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr
    removexattr lremovexattr fremovexattr
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
"""
CONTENT = """
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek
    truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 readahead
    copy_file_range sendfile sendfile64 splice tee vmsplice pipe pipe2
    sync syncfs fsync fdatasync sync_file_range
    io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64
"""
MEMORY = """
    brk mmap mmap2 munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock munlockall
    remap_file_pages membarrier memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect
    map_shadow_stack cachestat
"""
PROCESSES = """
    execve execveat exit exit_group fork vfork wait4 waitid waitpid kill tkill tgkill
    pidfd_open pidfd_send_signal process_mrelease prctl seccomp
    landlock_create_ruleset landlock_add_rule landlock_restrict_self
    getpid getppid gettid getpgid getpgrp setpgid getsid setsid getcpu uname sysinfo getrandom
    getrlimit ugetrlimit setrlimit prlimit64 getrusage times getpriority setpriority ioprio_get ioprio_set
    sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
    sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_rr_get_interval_time64
"""
IDENTITY = """
    getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32
    getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 setgroups setgroups32
    setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32
    setfsuid setfsuid32 setfsgid setfsgid32 capget capset
"""
THREADS = """
    futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list rseq
    set_tid_address get_thread_area set_thread_area restart_syscall
"""
SIGNALS = """
    rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack sigprocmask sigreturn signalfd signalfd4 pause
"""
TIME = """
    time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_adjtime
    clock_adjtime64 adjtimex nanosleep clock_nanosleep clock_nanosleep_time64 alarm getitimer setitimer
    timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
"""
WAITING = """
    poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 eventfd eventfd2
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
"""
SOCKETS = """
    socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
    send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
"""
BETWEEN_PROCESSES = """
    ipc shmget shmat shmdt shmctl semget semop semtimedop semtimedop_time64 semctl msgget msgsnd msgrcv msgctl
    mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive
    mq_timedreceive_time64
"""
ALLOWED = (
    FILES,
    CONTENT,
    MEMORY,
    PROCESSES,
    IDENTITY,
    THREADS,
    SIGNALS,
    TIME,
    WAITING,
    SOCKETS,
    BETWEEN_PROCESSES,
)

MODE_AT = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "mknod": 1, "mknodat": 2}
"""At which place, counted from 0, the calls that always have a mode of a file take it."""
FLAGS_AND_MODE_AT = {"open": (1, 2), "openat": (2, 3)}

BY_STRUCTURE = ("openat2", "clone3", "socketcall")

DEBUGGING = ("ptrace", "process_vm_readv", "process_vm_writev")
"""Of a task's own processes. Before Linux 4.8 who traces a process could make calls past its filter."""

Rule = dict[str, Any]


@cache
def profile(machine: str) -> str | None:
    """The profile as JSON, for an engine on such a machine; None for one that it was not written for."""
    architectures = ARCHITECTURES.get(machine)
    if architectures is None:
        return None
    rules = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": architectures,
        "syscalls": [*_allowed(machine), *_modes(), *_by_argument(), _unknown(*BY_STRUCTURE)],
    }
    return json.dumps(rules, separators=(",", ":"))


def _allowed(machine: str) -> list[Rule]:
    names = [name for group in (*ALLOWED, OF_ONE_MACHINE[machine]) for name in group.split()]
    return [_allow(*names), _allow(*DEBUGGING) | {"includes": {"minKernel": "4.8"}}]


def _modes() -> list[Rule]:
    """Modes without setuid and setgid; where there are flags as well, also those that make the mode idle."""
    always = [_allow_where(name, _without(SETUID_OR_SETGID, mode)) for name, mode in MODE_AT.items()]
    opening = [
        _allow_where(name, without)
        for name, (flags, mode) in FLAGS_AND_MODE_AT.items()
        for without in (_without(SETUID_OR_SETGID, mode), _without(CREATES, flags))
    ]
    return always + opening


def _by_argument() -> list[Rule]:
    return [
        _allow_where("clone", _without(NAMESPACES, 0)),
        *(_allow_where("socket", _equal(family, 0)) for family in FAMILIES),
        *(_allow_where("personality", _equal(persona, 0)) for persona in PERSONALITIES),
    ]


def _allow(*names: str) -> Rule:
    return {"names": names, "action": "SCMP_ACT_ALLOW"}


def _allow_where(name: str, condition: Rule) -> Rule:
    return _allow(name) | {"args": [condition]}


def _unknown(*names: str) -> Rule:
    return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}


def _without(bits: int, place: int) -> Rule:
    return {"index": place, "value": bits, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}


def _equal(value: int, place: int) -> Rule:
    return {"index": place, "value": value, "op": "SCMP_CMP_EQ"}

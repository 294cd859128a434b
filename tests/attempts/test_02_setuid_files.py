"""02: a task leaves a file with a setuid or setgid bit in its job's folder; any account of the host runs it.

No system call of a task gives a file such a bit: its container's seccomp profile refuses each that asks for
one, however the container was made, and for each way to make calls that the machine has.
"""

import io
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_warm_pool import warmed
from tests.real_manager import RealManager, real_manager
from tests.waiting import until

PATIENCE = 60
MAKE = """
import ctypes, os, subprocess
c = ctypes.CDLL(None, use_errno=True)
os.umask(0)
os.chdir(os.environ["AIR_EXECUTOR_TASK"])

def refused(what, act):
    try:
        done = act()
    except OSError as error:
        done = error
    print(what, done, flush=True)

def of_c(name, *arguments):
    if getattr(c, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

open("plain", "w").close()
handle = os.open("plain", os.O_RDWR)
SUID = 0o6755
refused("chmod", lambda: os.chmod("plain", SUID))
refused("fchmod", lambda: os.fchmod(handle, SUID))
refused("fchmodat", lambda: os.chmod("plain", 0o2755, dir_fd=os.open(".", os.O_RDONLY)))
refused("open", lambda: os.open("open", os.O_CREAT | os.O_RDWR, SUID))
refused("creat", lambda: of_c("creat", b"creat", SUID))
refused("mknod", lambda: os.mknod("mknod", 0o100000 | SUID))
how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_RDWR, SUID, 0)
refused("openat2", lambda: of_c("syscall", 437, -100, b"openat2", how, 24))
refused("fchmodat2", lambda: of_c("syscall", 452, -100, b"plain", SUID, 0))
def without_a_name():
    nameless = os.open(".", os.O_TMPFILE | os.O_RDWR, SUID)
    os.link(f"/proc/self/fd/{nameless}", "nameless", src_dir_fd=nameless)
refused("O_TMPFILE", without_a_name)
programs = "chmod u+s plain,cp -p /usr/bin/su cp,install -m 6755 plain install,tar -xpf ../suid.tar"
for words in programs.split(","):
    print(words, subprocess.run(words.split(), capture_output=True).returncode, flush=True)
if os.path.exists("../ways"):
    print(subprocess.run(["../ways"], capture_output=True, text=True).stdout, flush=True)
"""
ORDINARY = """
set -e
cd /work; touch f; chmod 755 f; chmod u=rw,g=r,o= f; mkdir -m 1777 d; mkdir -p e/f; chmod 700 e
cp -p f g; cp -a d h; ln -s f l; ln f m; mv g n; tar -cf t.tar e d; mkdir out; tar -xpf t.tar -C out
python3 -c "
import tempfile, shutil, os, socket, threading, subprocess, multiprocessing
with tempfile.NamedTemporaryFile(dir='/work') as f: f.write(b'x')
with tempfile.TemporaryFile(dir='/work') as f: f.write(b'x')
with tempfile.TemporaryDirectory(): pass
shutil.copy2('f', 'copy'); shutil.copytree('e', 'tree')
os.mkfifo('fifo', 0o644); os.open('new', os.O_CREAT | os.O_EXCL, 0o1644)
socket.create_server(('127.0.0.1', 0)).close(); socket.socket(socket.AF_UNIX).close()
t = threading.Thread(target=print); t.start(); t.join()
subprocess.run(['true'], check=True)
with multiprocessing.get_context('fork').Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
"
stat -c '%a' f d e
"""
WAYS = r"""
#include <fcntl.h>
static char name[] = "ways-8-i386", other[] = "ways-5-i386", third[] = "ways-14-i386";
static long i386(long number, long a, long b, long c)
{
    long answer;
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return answer;
}
static long x32(long number, long a, long b)
{
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(number | 0x40000000), "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return answer;
}
int main(void)
{
    i386(8, (long)name, 06755, 0);
    i386(5, (long)other, O_CREAT | O_RDWR, 06755);
    i386(14, (long)third, 0100000 | 06755, 0);
    i386(15, (long)"plain", 06755, 0);
    i386(306, -100, (long)"plain", 06755);
    x32(90, (long)"plain", 06755);
    x32(85, (long)"ways-x32", 06755);
    return 0;
}
"""


@pytest.fixture(scope="module")
def manager() -> Iterator[RealManager]:
    with real_manager(warm=1, look_ahead=4) as made:
        yield made


def bits(folder: Path) -> dict[str, str]:
    """What has a setuid or setgid bit, with its mode, as the host sees it; folders hand their group on."""
    found = {path: path.lstat().st_mode for path in folder.resolve().rglob("*")}
    return {str(path): oct(mode) for path, mode in found.items() if stat.S_ISREG(mode) and mode & 0o6000}


def with_suid_inside() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("of-tar")
        member.mode = 0o6755
        archive.addfile(member)
    return content.getvalue()


def leave(work: Path, tmp_path: Path) -> None:
    """An archive with such a file; where it can be built, a program that makes calls as 32-bit ones do."""
    (work / "suid.tar").write_bytes(with_suid_inside())
    (work / "suid.tar").chmod(0o644)
    source = tmp_path / "ways.c"
    source.write_text(WAYS)
    if shutil.which("gcc"):
        subprocess.run(["gcc", "-static", "-no-pie", "-o", tmp_path / "ways", source], check=False)
    if (tmp_path / "ways").exists():
        shutil.copy(tmp_path / "ways", work / "ways")


def test_no_file_gets_a_setuid_or_setgid_bit_warm_ahead_or_cold(manager: RealManager, tmp_path: Path) -> None:
    wait_for_it = "until test -e /work/go; do sleep 0.05; done; mkdir -p $AIR_EXECUTOR_TASK; exec python3 -c"
    make = {"command": "sh", "args": ["-c", f'{wait_for_it} "$0"', MAKE], "retries": 0}
    warmed(manager)
    manager.client.create_job(
        "suid",
        [
            {"id": "warm", **make},
            {"id": "ahead", **make, "dependencies": ["warm"], "resources": {"pids": 61}},
            {"id": "cold", **make, "resources": {"pids": 60}},
        ],
    )
    work = manager.home / "jobs" / "suid" / "work"
    until(work.exists, PATIENCE)
    leave(work, tmp_path)
    (work / "go").touch()
    view = manager.client.wait("suid", timeout=PATIENCE)
    assert view.state == "completed", {task.id: task.error for task in view.tasks}
    assert {task.id: task.attempts[0].start for task in view.tasks} == {
        "warm": "warm",
        "ahead": "ahead",
        "cold": "cold",
    }
    said = (work.parent / "logs" / "warm.log").read_text()
    assert "chmod [Errno 1]" in said, said
    assert "openat2 [Errno 38]" in said, said
    assert bits(work) == {}
    assert (work / "cold" / "plain").exists()


def test_ordinary_modes_and_programs_work(manager: RealManager) -> None:
    manager.client.create_job("plain", [{"id": "a", "command": "sh", "args": ["-c", ORDINARY], "retries": 0}])
    view = manager.client.wait("plain", timeout=PATIENCE)
    said = (manager.home / "jobs" / "plain" / "logs" / "a.log").read_text()
    assert view.state == "completed", said
    assert said.split()[-3:] == ["640", "1777", "700"]

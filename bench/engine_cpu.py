"""What the engine spends: its processes, as far as this machine can see them.

Counted are user and system time of

- every `dockerd` and `containerd`, with all children that they have waited for;
- all that was reaped by the process that adopts containers' shims (mostly process 1): each shim that has
  ended, with what it has waited for, which is `runc` and the container's own processes (init and `true`).

Not counted: shims that still run, and the kernel's own threads, such as those that clear up namespaces. What
else process 1 adopts meanwhile is counted too; on a quiet machine that is nothing.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.usage import cpu_of, parent_of

DAEMONS = ("dockerd", "containerd")
SHIM = "containerd-shim"


@dataclass(frozen=True, slots=True)
class EngineCpu:
    """Which processes are counted."""

    daemons: tuple[int, ...]
    adopter: int

    def seconds(self) -> float:
        """Up to now."""
        spent = [cpu_of(pid) for pid in self.daemons]
        ours = sum(cpu.own + cpu.reaped for cpu in spent)
        return ours if self.adopter in self.daemons else ours + cpu_of(self.adopter).reaped


def engine_cpu(container: str) -> EngineCpu | None:
    """The engine that runs `container` (an id); None where its processes can't be seen from here."""
    commands = {int(path.parent.name): _command(path) for path in Path("/proc").glob("[0-9]*/cmdline")}
    daemons = tuple(pid for pid, command in commands.items() if command and Path(command[0]).name in DAEMONS)
    shims = [pid for pid, command in commands.items() if container in command and SHIM in command[0]]
    return EngineCpu(daemons, parent_of(shims[0])) if daemons and shims else None


def _command(path: Path) -> list[str]:
    """The words of a command line; none where the process has ended."""
    try:
        return path.read_text(errors="replace").split("\0")
    except OSError:
        return []

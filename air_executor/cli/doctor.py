"""The command `doctor`: one line for each thing that was looked at."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from air_executor.report import one_line

if TYPE_CHECKING:
    from manager.ops.doctor import Finding

HEALTHY, BAD = 0, 1
_LOOKS = {"ok": ("✅", "green"), "warn": ("🟡", "yellow"), "bad": ("❌", "red")}


def report(findings: "Iterable[Finding]") -> int:
    """Print each finding as it comes; the exit code says whether one was bad."""
    console = Console(markup=False, highlight=False, emoji=False)
    code = HEALTHY
    for finding in findings:
        icon, colour = _LOOKS[finding.grade.value]
        line = Text.assemble(f"{icon} ", (f"{finding.grade.value:<5}{finding.subject:<12}", colour))
        # Long lines are left to the terminal to wrap, so that they can be copied and searched.
        console.print(line.append(f" {one_line(finding.text)}"), soft_wrap=True)
        if finding.grade.value == "bad":
            code = BAD
    return code

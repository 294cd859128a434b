"""Figures and the tables they are shown in. Times are wall clock, in seconds where no unit is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from rich.table import Table

HEADINGS = ("what", "ours", "rival", "ratio", "goal")


@dataclass(frozen=True, slots=True)
class Sample:
    """The same thing measured several times."""

    values: tuple[float, ...]
    unit: str = "s"

    @property
    def median(self) -> float:
        """In the sample's unit."""
        return median(self.values)

    def __str__(self) -> str:
        text = f"{self.median:.2f} {self.unit}"
        if len(self.values) > 1:
            text += f" ({min(self.values):.2f}–{max(self.values):.2f})"
        return text


@dataclass(frozen=True, slots=True)
class Row:
    """Ours beside a rival; `goal` is the most that the comparison may be, None where there is none.

    `shown_as` "ratio" compares the medians as ours / rival; "overhead" as ours - rival, in seconds.
    """

    what: str
    ours: Sample
    against: str
    rival: Sample
    goal: float | None = None
    shown_as: Literal["ratio", "overhead"] = "ratio"

    @property
    def comparison(self) -> float:
        """A plain number, or seconds for "overhead"."""
        if self.shown_as == "overhead":
            return self.ours.median - self.rival.median
        return self.ours.median / self.rival.median

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands below HEADINGS."""
        against = f"{self.against}: {self.rival}"
        return self.what, str(self.ours), against, self._shown(self.comparison), self._goal()

    def _shown(self, number: float) -> str:
        return f"{number:+.2f} s" if self.shown_as == "overhead" else f"{number:.2f}"

    def _goal(self) -> str:
        if self.goal is None:
            return "–"
        return f"≤ {self._shown(self.goal)} {'✅' if self.comparison <= self.goal else '❌'}"


def rich_table(rows: Sequence[Row]) -> Table:
    """For the terminal."""
    table = Table(title="Medians (least–most)", show_lines=True)
    for heading in HEADINGS:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row.cells)
    return table


def markdown_table(rows: Sequence[Row]) -> str:
    """For a note; the figures are medians, with the least and the most."""
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

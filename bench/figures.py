"""Figures and the tables they are shown in. Times are wall clock, in seconds where no unit is given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import median
from typing import Any, Literal, Self

from rich.table import Table

HEADINGS = ("row", "what", "ours", "beside", "figure", "goal")
MANY = 20
"""From so many values on, the slowest in a hundred is shown too."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The same thing measured several times; empty where it could not be measured."""

    values: tuple[float, ...]
    unit: str = "s"

    @property
    def median(self) -> float | None:
        """In the sample's unit."""
        return median(self.values) if self.values else None

    @property
    def p99(self) -> float | None:
        """The least value that 99 % of the values do not exceed: the greatest, of less than 100."""
        return sorted(self.values)[ceil(0.99 * len(self.values)) - 1] if self.values else None

    def __str__(self) -> str:
        if not self.values:
            return "not measured"
        text = shown(median(self.values), self.unit)
        if len(self.values) > 1:
            text += f" ({min(self.values):.2f}–{max(self.values):.2f}"
            text += f"; p99 {self.p99:.2f}; n = {len(self.values)})" if len(self.values) >= MANY else ")"
        return text

    def document(self) -> dict[str, Any]:
        """For `results.json`."""
        if not self.values:
            return {"count": 0, "unit": self.unit}
        return {
            "median": self.median,
            "least": min(self.values),
            "most": max(self.values),
            "p99": self.p99,
            "count": len(self.values),
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to be, in the figure's unit."""

    relation: Literal["≤", "<", "≥"]
    limit: float

    def met_by(self, figure: float) -> bool:
        """Whether it is."""
        match self.relation:
            case "≤":
                return figure <= self.limit
            case "<":
                return figure < self.limit
            case "≥":
                return figure >= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, what it was made of, and what it is to be. Made by the functions below."""

    what: str
    ours: Sample
    figure: float | None
    """What the goal is about; None where it could not be measured."""
    unit: str
    """The figure's and the goal's; empty for a plain ratio."""
    goal: Goal | None = None
    against: str = ""
    """What `rival` is; or, without one, what else there is to say."""
    rival: Sample | None = None
    enough: bool = True
    """Whether there are so many values that the goal can be judged."""
    number: int | None = None
    """Which of the twelve rows in README.md it belongs to."""

    def numbered(self, number: int) -> Self:
        """The same, as part of that row."""
        return replace(self, number=number)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or it can't be judged."""
        if self.goal is None or self.figure is None or not self.enough:
            return None
        return self.goal.met_by(self.figure)

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands below HEADINGS."""
        number = "" if self.number is None else str(self.number)
        beside = ": ".join(part for part in (self.against, str(self.rival or "")) if part)
        figure = "–" if self.figure is None else shown(self.figure, self.unit)
        return number, self.what, str(self.ours), beside or "–", figure, self._verdict()

    def document(self) -> dict[str, Any]:
        """For `results.json`."""
        rival = None if self.rival is None else self.rival.document()
        return {
            "number": self.number,
            "measure": self.what,
            "goal": None if self.goal is None else self._words(self.goal),
            "value": self.figure,
            "unit": self.unit,
            "met": self.met,
            "ours": self.ours.document(),
            "beside": self.against or None,
            "rival": rival,
        }

    def _words(self, goal: Goal) -> str:
        return f"{goal.relation} {shown(goal.limit, self.unit)}"

    def _verdict(self) -> str:
        if self.goal is None:
            return "–"
        verdict = {True: "✅", False: "❌", None: "not measured"}[self.met]
        return f"{self._words(self.goal)} {verdict}"


def median_row(what: str, ours: Sample, goal: Goal | None = None, least: int = 1) -> Row:
    """The median itself. Of fewer than `least` values it is shown, and not judged."""
    return Row(what, ours, ours.median, ours.unit, goal, enough=len(ours.values) >= least)


def p99_row(what: str, ours: Sample, goal: Goal, least: int = 1) -> Row:
    """The slowest in a hundred. Of fewer than `least` values it is shown, and not judged."""
    return Row(what, ours, ours.p99, ours.unit, goal, enough=len(ours.values) >= least)


def ratio_row(what: str, ours: Sample, against: str, rival: Sample, goal: Goal | None = None) -> Row:
    """The medians, ours / rival."""
    return Row(what, ours, _quotient(ours, rival), "", goal, against, rival)


def faster_row(what: str, ours: Sample, against: str, rival: Sample, goal: Goal, least: int = 1) -> Row:
    """How many times as long the rival takes: the medians, rival / ours, where `least` of ours are there."""
    enough = len(ours.values) >= least
    return Row(what, ours, _quotient(rival, ours), "×", goal, against, rival, enough)


def overhead_row(what: str, ours: Sample, against: str, rival: Sample, goal: Goal) -> Row:
    """What comes on top: the medians, ours - rival."""
    mine, other = ours.median, rival.median
    figure = None if mine is None or other is None else mine - other
    return Row(what, ours, figure, ours.unit, goal, against, rival)


def shown(number: float, unit: str) -> str:
    """A number with its unit, for people."""
    text = f"{number:.0f}" if number == int(number) else f"{number:.2f}"
    return f"{text} {unit}".rstrip()


def rich_table(rows: Sequence[Row]) -> Table:
    """For the terminal."""
    table = Table(title="Medians (least–most)", show_lines=True)
    for heading in HEADINGS:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row.cells)
    return table


def markdown_table(rows: Sequence[Row]) -> str:
    """For a note; the samples are medians, with the least and the most."""
    lines = [HEADINGS, ("---:", "---", *["---:"] * (len(HEADINGS) - 2)), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _quotient(one: Sample, other: Sample) -> float | None:
    above, below = one.median, other.median
    return above / below if above is not None and below else None

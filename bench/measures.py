"""Which measures there are, and which rows of README.md each of them fills."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench import appears, chain, dags, ended, idle, job, journal, rates, scale, waits
from bench.figures import Row


@dataclass(frozen=True, slots=True)
class Measure:
    """One run of something."""

    run: Callable[[], Iterator[Row]]
    numbers: tuple[int, ...] = ()


MEASURES: dict[str, Measure] = {
    "waits": Measure(waits.measure, (1, 3)),
    "appears": Measure(appears.measure, (2,)),
    "chain": Measure(chain.measure, (4,)),
    "rates": Measure(rates.measure, (5, 6, 11)),
    "job": Measure(job.measure, (7,)),
    "dags": Measure(dags.measure, (8, 9)),
    "ended": Measure(ended.measure, (10,)),
    "idle": Measure(idle.measure, (12,)),
    "journal": Measure(journal.measure),
    "scale": Measure(scale.measure),
}

GOALS = tuple(name for name, measure in MEASURES.items() if measure.numbers)
"""Those with rows, and so with goals."""


def chosen(words: Sequence[str]) -> list[str]:
    """The names of the measures that `words` (names, rows' numbers, `goals`) ask for; all if there are none.

    Raises ValueError, naming what is no such word.
    """
    wanted = {name for word in words for name in _named(word)}
    return [name for name in MEASURES if name in wanted or not words]


def _named(word: str) -> list[str]:
    if word == "goals":
        return list(GOALS)
    found = [name for name, measure in MEASURES.items() if word in (name, *map(str, measure.numbers))]
    if not found:
        raise ValueError(f"there is no {word!r}; there are: 1 to 12, {', '.join(MEASURES)}")
    return found

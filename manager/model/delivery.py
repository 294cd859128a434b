"""PURE. What a command that has succeeded hands over: its result, and the files that it has promised."""

from dataclasses import dataclass

from air_executor.format.results import OutputFile, Result


@dataclass(frozen=True, slots=True)
class Delivery:
    """What it was, or why it can't be taken."""

    result: Result | None = None
    """None: it has written none."""
    produced: tuple[OutputFile, ...] = ()
    problem: str | None = None
    """In words: the file, the rule, and what to do."""

    @property
    def size(self) -> int:
        """Bytes that it takes in the record."""
        return (self.result.size if self.result else 0) + sum(file.cost for file in self.produced)


NOTHING = Delivery()

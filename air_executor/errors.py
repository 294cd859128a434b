"""What can go wrong, in sentences that a person can act on."""

from pathlib import Path

LONGEST_VALUE = 80
"""Characters of what a stranger wrote that a sentence quotes."""
LONGEST_RULE = 500
"""Characters of a sentence."""


def quoted(value: object) -> str:
    """A stranger's value as a sentence quotes it: its beginning, with nothing that steers a terminal."""
    if isinstance(value, str | bytes) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]!r}…"
    return cut(_repr(value), LONGEST_VALUE)


def plain(text: str) -> str:
    """`text` in one line, as a sentence has it that is not in quotes."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def cut(text: str, length: int) -> str:
    """`text`, or its beginning."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python's limit on the digits of a number
        return type(value).__name__


def _escaped(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


class AirExecutorError(Exception):
    """Base of every error that this library raises on purpose."""


class BadInput(AirExecutorError):
    """Something that a person or a program wrote breaks a rule of the job format.

    `where` is the file (or what was read), `field` the place in it, `rule` what is wrong there and what
    would be right.
    """

    def __init__(self, rule: str, *, field: str = "", where: str | Path = "") -> None:
        self.rule, self.field, self.where = cut(plain(rule), LONGEST_RULE), field, str(where)
        super().__init__(": ".join(part for part in (self.where, field, rule) if part))

    def at(self, where: str | Path) -> "BadInput":
        """The same complaint, with the file it was found in."""
        return type(self)(self.rule, field=self.field, where=where)


class JobNotFound(AirExecutorError):
    """No job of that name is in the jobs folder."""

    def __init__(self, name: str, jobs: Path) -> None:
        super().__init__(
            f"there is no job {name!r} in {jobs}; `air-executor status` lists the jobs there are"
        )


class JobExists(AirExecutorError):
    """The name is taken; names of jobs are used once."""

    def __init__(self, name: str, jobs: Path, detail: str = "") -> None:
        self.name = name
        super().__init__(
            f"a job {name!r} is already in {jobs}{': ' + detail if detail else ''}; choose another name"
        )


class JobEnded(AirExecutorError):
    """The job has ended and takes no further requests."""

    def __init__(self, name: str, state: str) -> None:
        super().__init__(f"job {name!r} has ended ({state}) and takes no further requests; create a new job")


class JobNotEnded(AirExecutorError):
    """What was asked for is for jobs that have ended. `progress` says how far this one is."""

    def __init__(self, name: str, state: str, progress: str) -> None:
        self.progress = f"{state}, {progress}"
        super().__init__(
            f"job {name!r} has not ended ({state}): `air-executor wait {name}` tells when it has, "
            f"`air-executor cancel {name}` stops it"
        )


class NothingToRetry(AirExecutorError):
    """The job has ended in a way that no further attempt at its tasks can change."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"job {name!r} can't be retried: {reason}")


class RequestConflict(AirExecutorError):
    """The same job name was asked for by somebody else, or the same task id with another body."""


class WaitTimeout(AirExecutorError):
    """The job did not end in the time allowed. `hint` says what to look at."""

    def __init__(self, name: str, seconds: float, progress: str, hint: str) -> None:
        self.hint = hint
        super().__init__(f"job {name!r} did not end within {seconds:g} s ({progress}). {hint}")

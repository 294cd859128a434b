"""The one error of the bench."""


class BenchFailed(Exception):
    """Something that was to be measured did not run; the message says what, with the end of its log."""

"""What hostile people try, one attempt a file, in its smallest form."""

from tests.faults.conftest import served, shared

__all__ = ["served", "shared"]

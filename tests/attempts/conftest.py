"""What hostile people try, one attempt a file, in its smallest form."""

from tests.unit.manager.conftest import start
from tests.unit.manager.runtime.conftest import engine

__all__ = ["engine", "start"]

"""What hostile people try, one attempt a file, in its smallest form: on an engine that is a fake, or real."""

from tests.faults.conftest import served, shared
from tests.unit.manager.conftest import start
from tests.unit.manager.runtime.conftest import engine

__all__ = ["engine", "served", "shared", "start"]

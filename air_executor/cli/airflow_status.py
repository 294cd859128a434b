"""How Airflow is, as far as it answers within a moment."""

from dataclasses import dataclass
from datetime import datetime

DEMO_DAG = "air_executor_demo"
MOST_RUNS = 5


@dataclass(frozen=True)
class Run:
    """One run of the demo DAG."""

    run_id: str
    state: str
    started_at: datetime | None


@dataclass(frozen=True)
class AirflowStatus:
    """Whether Airflow is healthy; `problem` says what is wrong and what to do, and is empty otherwise."""

    address: str
    problem: str = ""
    runs: tuple[Run, ...] = ()

    @property
    def healthy(self) -> bool:
        return not self.problem


def look_at_airflow() -> AirflowStatus:
    """Health and the last runs of the demo DAG; never raises for what Airflow does wrong."""
    address = "http://localhost:8080"
    return AirflowStatus(address, f"not reachable at {address}: start it with `make up`")

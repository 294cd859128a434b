"""How Airflow is, as far as it answers within a moment."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from air_executor.errors import AirExecutorError

if TYPE_CHECKING:
    from air_executor.airflow_api import AirflowApi, Run

DEMO_DAG = "air_executor_demo"
MOST_RUNS = 5
PATIENCE = 1.0
"""Seconds that Airflow gets to tell its health: `status` also runs every two seconds under `watch`."""


@dataclass(frozen=True)
class AirflowStatus:
    """What Airflow tells about itself; `remark` says what is wrong and what to do, or is empty."""

    address: str
    healthy: bool
    remark: str = ""
    runs: "list[Run]" = field(default_factory=list)
    """The last runs of the demo DAG, the newest first."""


def look_at_airflow(home: Path) -> AirflowStatus:
    """Health and the last runs of the demo DAG; never raises for what Airflow does wrong."""
    # Its HTTP client takes longer to import than all the rest: only this command pays for it.
    from air_executor.airflow_api import AirflowUnavailable, airflow_address, find_airflow

    address = airflow_address()
    try:
        with find_airflow(home) as api:
            return _ask(api)
    except AirflowUnavailable:
        return AirflowStatus(address, False, f"not reachable at {address}: start it with `make up`")
    except AirExecutorError as error:
        return AirflowStatus(address, False, str(error))
    except (ValueError, LookupError, TypeError, AttributeError):
        return AirflowStatus(address, False, f"what answers at {address} is not Airflow; see AIRFLOW_PORT")


def _ask(api: "AirflowApi") -> AirflowStatus:
    health = api.health(timeout=PATIENCE)
    if not health.healthy:
        return AirflowStatus(api.base_url, False, f"not healthy at {api.base_url}: {', '.join(health.sick)}")
    try:
        return AirflowStatus(api.base_url, True, runs=api.runs(DEMO_DAG, MOST_RUNS))
    except AirExecutorError as error:
        return AirflowStatus(api.base_url, True, remark=str(error))

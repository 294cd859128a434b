"""`dag.test()` for one DAG: python run_dag_test.py DAG_ID; prints the run as JSON in its last line."""

import json
import os
import sys

from airflow.dag_processing.dagbag import DagBag


def main() -> int:
    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[sys.argv[1]]
    run = dag.test()
    states = {instance.task_id: str(instance.state) for instance in run.get_task_instances()}
    print("RUN " + json.dumps({"run_id": run.run_id, "state": str(run.state), "tasks": states}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The Airflow side: create a job, wait for it, show its results.

Built on the library only. Airflow writes and reads files here and never needs the engine: the manager
runs the tasks. This is the only package that imports `airflow`.

    from air_executor.airflow import CreateJobOperator, JobResultsOperator, JobSensor

    with DAG("hello"):
        create = CreateJobOperator(task_id="create", tasks=[{"id": "greet", "command": "date"}])
        wait = JobSensor(task_id="wait", job=create.output)
        results = JobResultsOperator(task_id="results", job=wait.output)
"""

from air_executor.airflow.operators import CreateJobOperator, JobResultsOperator
from air_executor.airflow.sensors import JobSensor

__all__ = ["CreateJobOperator", "JobResultsOperator", "JobSensor"]

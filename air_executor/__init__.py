"""Air-Executor: short, dependent tasks, each in a fresh container, with a durable record of each.

This package is the library that users import. It knows the job format and the jobs folder, and nothing
of Docker: a job is created by writing a folder, and followed by reading it.
"""

from air_executor.client import Client
from air_executor.errors import (
    AirExecutorError,
    BadInput,
    JobEnded,
    JobExists,
    JobNotEnded,
    JobNotFound,
    NothingToRetry,
    RequestConflict,
    WaitTimeout,
)
from air_executor.format.arguments import ResultOf
from air_executor.format.attempts import Attempt, Cause, Failure, Timings
from air_executor.format.models import Job, JobState, JobView, Request, Resources, Task, TaskSpec, TaskStatus
from air_executor.format.results import OutputFile, Result

__all__ = [
    "AirExecutorError",
    "Attempt",
    "BadInput",
    "Cause",
    "Client",
    "Failure",
    "Job",
    "JobEnded",
    "JobExists",
    "JobNotEnded",
    "JobNotFound",
    "JobState",
    "JobView",
    "NothingToRetry",
    "OutputFile",
    "Request",
    "RequestConflict",
    "Resources",
    "Result",
    "ResultOf",
    "Task",
    "TaskSpec",
    "TaskStatus",
    "Timings",
    "WaitTimeout",
]

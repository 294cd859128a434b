"""PURE. What a job may have beside what its tasks have: time, and who waits for it."""

from datetime import datetime

from air_executor.clock import Instant
from air_executor.format.halts import TimeLimit
from air_executor.format.models import Job
from manager.settings import Settings


def time_limit(job: Job, settings: Settings, at: datetime, since: Instant | None) -> TimeLimit | None:
    """How long the job may take that is taken now; None where nobody says so."""
    limits = [limit for limit in (job.timeout, settings.max_job_timeout) if limit]
    return TimeLimit(seconds=min(limits), at=at, since=since) if limits else None


def time_left(limit: TimeLimit, now: Instant, clock: datetime) -> float:
    """Seconds until the job has taken as long as it may: by the clock that nobody can set, if may be."""
    if limit.since is not None and limit.since.boot == now.boot:
        return limit.seconds - (now.seconds - limit.since.seconds)
    return limit.seconds - max(0.0, (clock - limit.at).total_seconds())


def priority(job: Job, settings: Settings) -> int:
    """How far its tasks go before those of others, whatever its record says."""
    return min(job.priority or 0, settings.max_priority)

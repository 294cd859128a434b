"""What is in a job's folder, and what it is called there. See "The folder" in ARCHITECTURE.md."""

STATE = "state.json"
"""The job, as its readers see it."""
TASKS = "tasks.json"
"""Its tasks."""
WORK = "work"
"""What its containers see as `/work`."""
INBOX = "inbox"
"""What its containers see as `/inbox`: requests for further tasks."""
TMP = "tmp"
"""In the inbox: requests that are being written."""
NEW = "new"
"""In the inbox: requests that are complete."""
CLOSED = "closed"
"""In the inbox: what `new` is called once no more requests are taken."""
REFUSED = "refused"
"""In the inbox: what is no request, and can't be deleted in one step."""
RESULT, RESULT_FILE = "result", "result.json"
"""In a container's inbox: the folder and the file that its command writes its result to."""
RESULTS = "results"
"""In a container's inbox: the results of the tasks that its own depends on, `<task>.json` each."""
LOGS = "logs"
"""The output of its tasks."""
CANCEL, RETRY, RESET = "cancel", "retry", "reset"
"""Markers: stop this job; run again what failed in it; start over."""


def log_name(task: str) -> str:
    """What the log of a task's last attempt is called, in `logs`."""
    return f"{task}.log"


def earlier_log_name(task: str, attempt: int) -> str:
    """What the log of an earlier attempt is called, in `logs`. No task can have such a log of its own."""
    return f"{task}.log.{attempt}"


def log_path(task: str) -> str:
    """Where the log of a task's last attempt is, from the job's folder."""
    return f"{LOGS}/{log_name(task)}"


def earlier_log_path(task: str, attempt: int) -> str:
    """Where the log of an earlier attempt is, from the job's folder."""
    return f"{LOGS}/{earlier_log_name(task, attempt)}"

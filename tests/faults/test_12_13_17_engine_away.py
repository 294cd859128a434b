"""FAULTS 12, 13, 17: the engine is not there, hangs, or its connections break."""

import threading
import time

from manager.runtime import engine_monitor as monitor
from tests.engine_proxy import EngineProxy
from tests.real_manager import RealManager
from tests.waiting import until

TRUE = [{"id": "a", "command": "true", "network": "none"}]


def test_12_a_manager_without_an_engine_waits_says_so_and_starts_when_it_comes(
    behind: RealManager, proxy: EngineProxy
) -> None:
    proxy.close()
    starting = threading.Thread(target=behind.start)
    starting.start()
    until((behind.home / "output").exists)
    until(lambda: "the container engine does not answer" in behind.output(), 60)
    behind.client.create_job("early", TRUE)
    until(lambda: behind.client.status("early").state == "working")
    assert behind.client.status("early").tasks[0].attempts == ()
    time.sleep(2.5 * monitor.RETRY)
    assert behind.output().count("does not answer") == 1, "it says so once, and not at each try"
    proxy.open()
    starting.join()
    assert behind.client.wait("early", timeout=90).state == "completed"


def test_13_while_the_engine_hangs_files_are_served_and_afterwards_work_goes_on(
    behind: RealManager, proxy: EngineProxy
) -> None:
    behind.start()
    task = {"id": "sleeps", "command": "sleep", "args": ["1"], "network": "none"}
    behind.client.create_job("hung", [task, {"id": "b", "command": "true", "dependencies": ["sleeps"]}])
    until(lambda: behind.client.status("hung").tasks[0].status == "running", 60)
    proxy.hang()
    behind.client.create_job("meanwhile", TRUE)
    until(lambda: behind.client.status("meanwhile").state == "working")
    behind.client.queue("hung", TRUE[0])
    until(lambda: [decision.accepted for decision in behind.client.status("hung").job.requests] == [True])
    until(lambda: "does not answer" in behind.output(), 60)
    proxy.flow()
    assert behind.client.wait("hung", timeout=40).state == "completed"
    assert behind.client.wait("meanwhile", timeout=40).state == "completed"


def test_13_sigterm_ends_the_manager_within_ten_seconds_even_while_the_engine_hangs(
    behind: RealManager, proxy: EngineProxy
) -> None:
    behind.start()
    behind.client.create_job("hung", [{"id": "a", "command": "sleep", "args": ["60"], "network": "none"}])
    until(lambda: behind.client.status("hung").tasks[0].status == "running", 60)
    proxy.hang()
    behind.client.create_job("more", TRUE)
    until(lambda: behind.client.status("more").state == "working")
    began = time.monotonic()
    assert behind.stop() == 0
    assert time.monotonic() - began < 10


def test_17_connections_that_break_while_many_end_together_lose_none(
    behind: RealManager, proxy: EngineProxy
) -> None:
    behind.start()
    script = "while [ ! -e go ]; do sleep 0.05; done; echo done"
    tasks = [
        {"id": f"t{number}", "command": "sh", "args": ["-c", script], "network": "none"}
        for number in range(10)
    ]
    behind.client.create_job("together", tasks)
    until(lambda: {task.status for task in behind.client.status("together").tasks} == {"running"}, 60)
    proxy.close()
    (behind.client.store.folder("together").work / "go").touch()
    until(lambda: "does not answer" in behind.output(), 60)
    proxy.open()
    view = behind.client.wait("together", timeout=60)
    assert view.state == "completed"
    folder = behind.client.store.folder("together")
    assert {folder.log_file(task.id).read_text() for task in view.tasks} == {"done\n"}
    assert all(len(task.attempts) == 1 for task in view.tasks)

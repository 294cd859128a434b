"""A task leaves as its result, or among its outputs, what is none: to be read by a manager that is root.

It is opened through the handles of folders that the manager has made, no link is followed, only a regular
file is read, nothing blocks, and no more is read than is allowed.
"""

import pytest

from air_executor import JobView
from air_executor.report import results_block
from tests.faults.conftest import RealManager
from tests.real_manager import real_manager

RESULT = '"$AIR_EXECUTOR_RESULT"'


def run(served: RealManager, script: str, name: str, **fields: object) -> JobView:
    tasks = [{"id": "a", "command": "sh", "args": ["-c", script], "retries": 2, **fields}]
    served.client.create_job(name, tasks)
    return served.client.wait(name, 60)


NO_RESULTS = {
    "shadow": (f"ln -s /etc/shadow {RESULT}", "is a link"),
    "inbox": (f"ln -s /inbox/new/x {RESULT}; echo 1 > /inbox/new/x", "is a link"),
    "zero": (f"ln -s /dev/zero {RESULT}", "is a link"),
    "pipe": (f"mkfifo {RESULT}", "a folder, a pipe or the like"),
    "folder": (f"mkdir {RESULT}", "a folder, a pipe or the like"),
    "sparse": (f"truncate -s 1G {RESULT}", "larger than 262144 bytes"),
    "large": (f"head -c 262145 /dev/zero > {RESULT}", "larger than 262144 bytes"),
    "deep": (f"yes '[' | head -c 20000 > {RESULT}", "is nested too deeply"),
    "levels": (f"(yes '[' | head -n 80; yes ']' | head -n 80) > {RESULT}", "levels deep"),
    "values": (f"(echo '[1'; yes ',1' | head -n 80000; echo ']') > {RESULT}", "more than 32768 values"),
    "twice": (f'echo \'{{"a": 1, "a": 2}}\' > {RESULT}', "twice"),
    "nan": (f"echo NaN > {RESULT}", "NaN"),
    "half": (f"printf '\"\\\\ud800\"' > {RESULT}", "half of a surrogate pair"),
    "control": (f"printf '\"\\001\"' > {RESULT}", "is not JSON"),
    "empty": (f": > {RESULT}", "is not JSON"),
}


@pytest.mark.parametrize("what", NO_RESULTS)
def test_what_is_no_result_is_refused_and_nothing_of_it_is_kept(served: RealManager, what: str) -> None:
    script, words = NO_RESULTS[what]
    task = run(served, script, f"result-{what}").tasks[0]
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert words in task.failure.message
    assert (len(task.attempts), task.result) == (1, None)


def test_results_that_a_task_is_given_are_not_its_to_change_and_no_one_elses(served: RealManager) -> None:
    spoil = (
        "cd /inbox && ! mv results aside && ! rm results/a.json && ! echo 2 > results/a.json && ! ln -s / x"
    )
    served.client.create_job(
        "given",
        [
            {"id": "a", "command": "sh", "args": ["-c", f"echo 1 > {RESULT}"]},
            {"id": "b", "command": "sh", "args": ["-c", spoil], "dependencies": ["a"]},
            {"id": "c", "command": "cat", "args": ["/inbox/results/a.json"], "dependencies": ["a", "b"]},
        ],
    )
    assert served.client.wait("given", 60).state == "completed"
    assert served.client.log_tail("given", "c") == "1"


def test_what_a_result_says_steers_no_shell_and_no_option(served: RealManager) -> None:
    """It is one argument, whatever is in it."""
    served.client.create_job(
        "words",
        [
            {
                "id": "a",
                "command": "sh",
                "args": ["-c", f"echo '\"; touch /work/x; $(id) --help\"' > {RESULT}"],
            },
            {"id": "b", "command": "echo", "args": ["-n", {"result": "a"}], "dependencies": ["a"]},
        ],
    )
    assert served.client.wait("words", 60).state == "completed"
    assert served.client.log_tail("words", "b") == "; touch /work/x; $(id) --help"


NO_OUTPUTS = {
    "link": ("ln -s /etc/shadow x.csv", "no file below /work fits"),
    "folder": ("ln -s /etc folder; ln -s / x.csv", "no file below /work fits"),
    "pipe": ("mkfifo x.csv", "no file below /work fits"),
    "many": ("for n in $(seq 1001); do : > $n.csv; done", "more than 1000 files fit"),
    "bytes": ("echo 1 > \"$(printf 'a\\377.csv')\"", "is no path in UTF-8"),
}


@pytest.mark.parametrize("what", NO_OUTPUTS)
def test_what_is_no_output_is_not_listed(served: RealManager, what: str) -> None:
    script, words = NO_OUTPUTS[what]
    task = run(served, script, f"output-{what}", outputs=["**/*.csv", "folder/*"]).tasks[0]
    assert task.failure is not None and task.failure.cause == "bad_input"
    assert words in task.failure.message
    assert (len(task.attempts), task.produced) == (1, ())


def test_a_file_that_is_large_only_by_its_size_is_not_even_read() -> None:
    with real_manager(outputs_mb=100) as manager:
        task = run(manager, "truncate -s 9G x.csv", "sparse", outputs=["*.csv"]).tasks[0]
    assert task.failure is not None and "more than 100 MiB (setting `outputs_mb`)" in task.failure.message


def test_a_name_with_a_line_break_forges_no_line(served: RealManager) -> None:
    view = run(served, "echo 1 > \"$(printf 'a\\n🎉 forged.csv')\"", "lines", outputs=["*.csv"])
    assert view.tasks[0].produced[0].path == "a\n🎉 forged.csv"
    assert not any(line.startswith("🎉 forged") for line in results_block(view).splitlines())


def test_folders_that_are_swapped_for_links_all_the_time_lead_nowhere(served: RealManager) -> None:
    """One task swaps, the other's outputs are looked for meanwhile."""
    swap = (
        "mkdir -p d/e; for n in $(seq 500); do echo 1 > d/e/x.csv; mv d o; ln -s /etc d; rm d; mv o d; done"
    )
    served.client.create_job(
        "swap",
        [
            {"id": "swap", "command": "sh", "args": ["-c", swap], "retries": 0},
            {"id": "make", "command": "sh", "args": ["-c", "echo 1 > y.csv"], "outputs": ["**"]},
        ],
    )
    view = served.client.wait("swap", 60)
    paths = [file.path for task in view.tasks for file in task.produced]
    # Either way: what was found may have changed while it was read.
    assert not any("passwd" in path for path in paths)
    assert view.state == "failed" or "y.csv" in paths

"""A person's way: log in, see the graph turn green, read the results task's log."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from stack import CREATE, DEMO, REPOSITORY, RESULTS, WAIT, Stack

pytestmark = pytest.mark.timeout(600)

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONG = 90_000
"""Milliseconds: the page looks for news every few seconds, and the machine may be busy."""


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of a Chromium; root on Debian gets Debian's."""
    if not find_browser():
        subprocess.run([str(REPOSITORY / "setup" / "browser.sh")], check=False, timeout=400)
    found = find_browser()
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium is there and none could be installed")
    return found or pytest.skip("no Chromium is there (on Debian: sudo apt-get install chromium)")


@pytest.fixture
def page(browser: str, tmp_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=browser,
            args=FLAGS,
            viewport={"width": 1600, "height": 1000},
        )
        yield context.new_page()
        context.close()


def log_in(page: Page, stack: Stack) -> None:
    page.goto(stack.address, timeout=LONG)
    page.fill("input[name=username]", "admin", timeout=LONG)
    page.fill("input[name=password]", stack.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/auth/" not in url, timeout=LONG)


def test_the_graph_turns_green_and_the_results_are_in_the_log(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    log_in(page, stack)
    run_id = stack.api.trigger(DEMO)
    run_page = f"{stack.address}/dags/{DEMO}/runs/{quote(run_id, safe='')}"

    page.goto(run_page, timeout=LONG)
    page.get_by_role("button", name="Show Graph").click(timeout=LONG)
    for task in (CREATE, WAIT, RESULTS):
        node = page.locator(".react-flow__node", has_text=task)
        expect(node).to_contain_text("success", timeout=LONG)
    page.wait_for_timeout(1000)  # the graph glides to its place
    page.screenshot(path=os.environ.get("AIR_EXECUTOR_SCREENSHOT") or tmp_path / "graph.png")

    # Only the lines in sight are in the page, so it has to be tall.
    page.set_viewport_size({"width": 1600, "height": 1600})
    page.goto(f"{run_page}/tasks/{RESULTS}", timeout=LONG)
    for line in ("Air-Executor Job Results", f"Job Name: airflow-{run_id}", "Final State: completed"):
        expect(page.get_by_text(line).first).to_be_visible(timeout=LONG)
    for task in ("greet", "process", "complete"):
        expect(page.get_by_text(f"✅ {task}: completed").first).to_be_visible(timeout=LONG)
    page.screenshot(path=tmp_path / "log.png")

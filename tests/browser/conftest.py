"""A running dashboard on a copy of the sample, and a real browser before it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from analysis.commands.load import load
from analysis.commands.workspaces import workspace_at

_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
]
_START_SECONDS = 90
_PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Dashboard:
    url: str
    workspace: Path
    folder: Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the dashboard ended with code {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail("the dashboard did not come up")


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("browser")
    workspace = folder / "digits.relook"
    files = sorted(path for path in (root / "sample_data" / "digits").iterdir() if path.suffix in {".csv", ".parquet"})
    load(workspace_at(workspace), files)
    workspace_at(workspace).close()
    port = _free_port()
    # A group of its own, so that what it started ends with it.
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from dashboard.cli import main; main()",
            "serve",
            str(workspace),
            "--port",
            str(port),
            "--headless",
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_healthy(port, process)
        yield Dashboard(f"http://127.0.0.1:{port}", workspace, folder)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def browser_page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True).new_page()
        page.set_default_timeout(_PATIENCE_MS)
        expect.set_options(timeout=_PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture
def page(browser_page: Page) -> Page:
    return browser_page


def wait_until_still(page: Page) -> None:
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


@pytest.fixture
def visit(page: Page):
    """Open a page by its link in the navigation and wait until it stands still."""

    def go(title: str) -> Page:
        page.locator('[data-testid="stSidebarNavLink"]').filter(has_text=re.compile(f"{title}$")).click()
        expect(page.get_by_role("heading", name=title, exact=True).first).to_be_visible()
        wait_until_still(page)
        return page

    return go

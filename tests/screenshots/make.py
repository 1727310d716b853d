"""Take a picture of every page, light and dark, on the sample: ``python tests/screenshots/make.py``.

The pictures are looked at by a person before a release; the README shows one of them. Needs Chromium.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from analysis.commands.load import load
from analysis.commands.workspaces import workspace_at

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parents[1] / "sample_data" / "digits"
PAGES = {
    "home": "/",
    "slices": "/slices",
    "slice": "/slice?slice=" + quote('pen = "bold"'),
    "labels": "/labels",
    "annotators": "/annotators",
    "relabel": "/relabel",
    "data": "/data",
}
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-quic"]
PATIENCE_MS = 90_000


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(workspace: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the dashboard and wait until it answers."""
    command = [sys.executable, "-c", "from dashboard.cli import main; main()", "serve", str(workspace)]
    process = subprocess.Popen([*command, "--port", str(port), "--headless"], start_new_session=True)
    for _attempt in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                return process
        except OSError:
            time.sleep(0.5)
    message = "the dashboard did not come up"
    raise TimeoutError(message)


def wait_until_drawn(page: Page, *, figure: bool) -> None:
    """Wait until the script has ended and the figures stand."""
    page.wait_for_selector('[data-testid="stHeading"]', timeout=PATIENCE_MS)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE_MS)
    if figure:
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE_MS)
    page.wait_for_timeout(2_500)


def main() -> None:
    """Load the sample, then take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "digits.relook"
        load(workspace_at(workspace), sorted(path for path in SAMPLE.iterdir() if path.suffix in {".csv", ".parquet"}))
        workspace_at(workspace).close()
        port = find_port()
        process = start(workspace, port)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
                for mode in ("light", "dark"):
                    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=mode)
                    page = context.new_page()
                    for name, path in PAGES.items():
                        page.goto(f"http://127.0.0.1:{port}{path}")
                        wait_until_drawn(page, figure=name not in {"relabel", "data"})
                        page.screenshot(path=HERE / f"{name}-{mode}.png")
                    context.close()
                browser.close()
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


if __name__ == "__main__":
    main()

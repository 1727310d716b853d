"""An open dashboard locks nobody out: other processes read beside it and write under it, and it shows what they wrote."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def relook(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from dashboard.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_others_read_and_write_while_a_dashboard_is_open_and_in_use(page: Page, dashboard, tmp_path: Path) -> None:
    page.goto(dashboard.url)
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    frame = pd.DataFrame({"item_id": [f"new-{k}" for k in range(40)], "label": ["3"] * 40, "ink": [0.5] * 40})
    frame.to_csv(tmp_path / "more.csv", index=False)

    # The page asks the workspace all the time while the others work.
    stop = threading.Event()
    ended: list[subprocess.CompletedProcess[str]] = []

    def work() -> None:
        ended.extend(relook("info", dashboard.workspace, "--format", "json") for _try in range(3))
        ended.append(relook("load", dashboard.workspace, tmp_path / "more.csv", "--split", "more", "--format", "json"))
        ended.append(relook("info", dashboard.workspace, "--format", "json"))
        stop.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not stop.is_set():
        for title in ("Labels", "Home"):
            page.locator('[data-testid="stSidebarNavLink"]').filter(has_text=title).click()
            expect(page.get_by_role("heading", name=title, exact=True).first).to_be_visible()
    worker.join()

    assert [run.returncode for run in ended] == [0] * 5, [run.stderr for run in ended]
    before, after = json.loads(ended[0].stdout), json.loads(ended[-1].stdout)
    assert after["overall"]["items"] == before["overall"]["items"] + 40
    page.locator('[data-testid="stSidebarNavLink"]').filter(has_text="Data").click()
    expect(page.get_by_text(f"{after['overall']['items']:,} items").first).to_be_visible()
    expect(page.get_by_text("This is our fault")).to_have_count(0)

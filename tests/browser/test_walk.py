"""A person walks through the dashboard in a real browser: every page, a filter, an item, a request."""

import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, Request, expect

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


@pytest.fixture(scope="module")
def tables(root: Path) -> dict[str, pd.DataFrame]:
    """The sample's files as a user sees them, for numbers that are computed apart from the library."""
    folder = root / "sample_data" / "digits"
    return {
        "eval": pd.read_parquet(folder / "eval.parquet").astype({"label": str}),
        "train": pd.read_parquet(folder / "train.parquet").astype({"label": str}),
        "predictions": pd.read_csv(folder / "predictions.csv", dtype={"item_id": str, "predicted": str}),
    }


def test_home_opens_with_the_error_rate_of_the_files(page: Page, dashboard, tables) -> None:
    merged = tables["eval"].merge(tables["predictions"], on="item_id")
    errors = int((merged["label"] != merged["predicted"]).sum())

    page.goto(dashboard.url)

    expect(page.get_by_text(f"{errors} of {len(merged)}").first).to_be_visible()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()


def test_nothing_is_asked_of_any_other_machine(page: Page, dashboard) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        host = urllib.parse.urlsplit(request.url).hostname
        if host not in {"127.0.0.1", "localhost", None}:
            asked.append(request.url)

    page.on("request", note)
    try:
        page.goto(dashboard.url)
        page.locator(".js-plotly-plot .main-svg").first.wait_for()
    finally:
        page.remove_listener("request", note)

    assert asked == []


def test_every_page_opens_from_the_navigation(visit: Visit) -> None:
    for title in ("Slices", "Labels", "Annotators", "Relabel", "Data", "Home"):
        page = visit(title)

        expect(page.get_by_role("heading", name=title, exact=True).first).to_be_visible()
        expect(page.get_by_text("This is our fault")).to_have_count(0)


def test_a_filter_is_kept_on_every_page_and_in_the_address(visit: Visit, tables) -> None:
    page = visit("Slices")
    page.get_by_role("button", name="Add filter").click()
    written = page.get_by_placeholder(re.compile("pen|age|=")).first
    written.fill('pen = "bold"')
    page.get_by_role("button", name=re.compile("Add what is written")).click()
    expect(page.get_by_text("pen is bold").first).to_be_visible()
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["filter"] == ['pen = "bold"']

    merged = tables["eval"].merge(tables["predictions"], on="item_id")
    bold = merged[merged["pen"] == "bold"]
    errors = int((bold["label"] != bold["predicted"]).sum())
    expect(page.get_by_text(f"{errors} of {len(bold)}").first).to_be_visible()

    page = visit("Home")
    expect(page.get_by_text(f"{errors} of {len(bold)}").first).to_be_visible()

    page.locator('[data-testid="stSidebar"]').get_by_role("button", name=re.compile("pen is bold")).click()
    expect(page.get_by_text(f"of {len(merged)}").first).to_be_visible()


def test_a_cell_of_the_confusion_matrix_opens_its_slice(visit: Visit, tables) -> None:
    merged = tables["eval"].merge(tables["predictions"], on="item_id")
    cells = merged[merged["label"] != merged["predicted"]].groupby(["label", "predicted"]).size()
    (label, predicted), count = cells.idxmax(), int(cells.max())
    page = visit("Home")
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".main-svg").first.wait_for()

    plot.locator(".textpoint text", has_text=re.compile(f"^{count}$")).first.click(force=True)

    expect(page.get_by_text(f'@given_label = "{label}" & @predicted = "{predicted}"').first).to_be_visible()
    expect(page.get_by_text(f"{count} of {count}").first).to_be_visible()


def test_an_item_opens_large_with_its_reason_and_goes_into_the_basket(visit: Visit) -> None:
    page = visit("Labels")
    expect(page.get_by_text(re.compile(r"Given .*; the model says")).first).to_be_visible()
    expect(page.locator('[data-testid="stImage"] img').first).to_be_visible()

    page.get_by_role("button", name=re.compile("^Next(?! page)")).click()
    expect(page.get_by_text(re.compile("rank 2")).first).to_be_visible()
    page.get_by_role("button", name=re.compile("^Add to basket")).click()

    expect(page.get_by_text("1 item", exact=True).first).to_be_visible()


def test_a_request_is_written_and_its_files_hold_the_picked_item(visit: Visit, dashboard, tables) -> None:
    page = visit("Relabel")
    page.get_by_role("button", name=re.compile("^Write request")).click()
    expect(page.get_by_role("heading", name=re.compile("^Written: rq-"))).to_be_visible()

    (folder,) = (dashboard.folder / "requests").iterdir()
    tasks = json.loads((folder / "send" / "tasks.json").read_text(encoding="utf-8"))
    manifest = json.loads((folder / "private" / "manifest.json").read_text(encoding="utf-8"))

    assert len(tasks) == len(manifest["items"]) == 1
    assert tasks[0]["data"]["relook_task"] == manifest["items"][0]["relook_task"]
    # Blind: neither id nor label travels.
    item_id = manifest["items"][0]["item_id"]
    assert item_id in set(tables["train"]["item_id"])
    assert item_id not in json.dumps(tasks)
    assert set(tasks[0]) == {"data"}

    with page.expect_download() as download:
        page.get_by_role("button", name="Download for the receiver").click()
    assert download.value.suggested_filename == f"{folder.name}.zip"
    expect(page.get_by_text("1 request out").first).to_be_visible()


def test_a_file_is_loaded_from_the_browser(visit: Visit, tmp_path: Path) -> None:
    rows = pd.DataFrame({"item_id": ["digit-0001"], "annotator": ["zoe"], "label": ["1"]})
    path = tmp_path / "late_votes.csv"
    rows.to_csv(path, index=False)
    page = visit("Data")

    page.locator('input[type="file"]').first.set_input_files(path)
    page.get_by_role("button", name="See how they are read").click()
    page.get_by_role("button", name="Load 1 row").click()

    expect(page.get_by_text("Loaded 1 file.").first).to_be_visible()
    expect(page.get_by_text(re.compile("10 annotators")).first).to_be_visible()

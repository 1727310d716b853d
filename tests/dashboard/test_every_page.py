"""Every page in every state of a workspace: no fault, and where something is missing, what to do about it."""

import pandas as pd
import pytest

from dashboard.parts.strings import PAGES

ONE_CLASS = {
    "train": pd.DataFrame({"item_id": [f"i{k}" for k in range(40)], "size": range(40), "label": "cat"}),
    "predictions": pd.DataFrame({"item_id": [f"i{k}" for k in range(40)], "predicted": "cat", "prob_cat": 1.0}),
}
ONE_ROW = {
    "eval": pd.DataFrame({"item_id": ["i0"], "size": [1.5], "label": ["cat"], "annotator": ["ann"]}),
    "predictions": pd.DataFrame({"item_id": ["i0"], "predicted": ["dog"], "prob_cat": [0.3], "prob_dog": [0.7]}),
}
VOTES_ONLY = {
    "votes": pd.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(20) for _ in range(3)],
            "annotator": ["ann", "bob", "cid"] * 20,
            "label": ["cat", "cat", "dog"] * 10 + ["dog", "dog", "dog"] * 10,
        }
    )
}
ITEMS_ONLY = {"train": pd.DataFrame({"item_id": ["a", "b", "c"], "size": [1, 2, 3], "label": ["cat", "dog", "cat"]})}
MISSING_EVERYWHERE = {
    "train": pd.DataFrame({"item_id": ["a", "b", "c"], "size": [None, None, None], "label": ["cat", None, None]}),
    "predictions": pd.DataFrame({"item_id": ["b"], "predicted": ["cat"]}),
}
SMALL = {
    "one class only": ONE_CLASS,
    "one row": ONE_ROW,
    "votes only": VOTES_ONLY,
    "items only": ITEMS_ONLY,
    "missing everywhere": MISSING_EVERYWHERE,
}
# Pages that have nothing to show without predictions, or without votes, say so.
NEED_PREDICTIONS = {"slices", "slice", "labels"}


@pytest.fixture(scope="module")
def small(table_workspace):
    """The small workspaces by name; pages only read them."""
    return {name: table_workspace(frames) for name, frames in SMALL.items()}


def read_texts(at):
    """Return every sentence that the page shows."""
    shown = (*at.markdown, *at.caption, *at.info, *at.warning, *at.error, *at.success, *at.header, *at.title)
    return [element.value for element in shown]


def find_advice(at):
    # Texts of ours reach Markdown with a backslash before each of its marks.
    return [element.value.replace("\\", "") for element in (*at.info, *at.warning, *at.error)]


def assert_says(at, *words):
    texts = find_advice(at)
    assert any(all(word.casefold() in text.casefold() for word in words) for text in texts), (words, texts)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_workspace_every_page_offers_files_and_the_sample(open_app, page):
    at = open_app(None, page)
    assert at.title[0].value == "Where does the model fail, and which labels caused it?"
    assert at.file_uploader
    assert {"See how they are read", "Open sample"} <= {button.label for button in at.button}


@pytest.mark.parametrize("page", PAGES)
def test_a_workspace_that_is_not_there_yet_is_named_and_made_by_loading(open_app, tmp_path, page):
    at = open_app(tmp_path / "new.relook", page)
    assert_says(at, "no workspace at", "new.relook", "made with the first files")
    assert at.file_uploader
    assert not (tmp_path / "new.relook").exists(), "looking makes no file"


@pytest.mark.parametrize("page", PAGES)
def test_a_file_that_is_no_workspace_is_named_and_every_page_says_what_to_do(open_app, tmp_path, page):
    broken = tmp_path / "broken.relook"
    broken.write_bytes(b"item_id,label\n1,cat\n" * 600)
    at = open_app(broken, page)
    assert_says(at, "broken.relook")
    assert broken.read_bytes() == b"item_id,label\n1,cat\n" * 600, "the file is left as it is"


@pytest.mark.parametrize("page", PAGES)
def test_the_sample_opens(open_app, digits_workspace, page):
    at = open_app(digits_workspace, page)
    assert not at.error
    assert read_texts(at)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", SMALL)
def test_small_and_lopsided_workspaces_open(open_app, small, name, page):
    at = open_app(small[name], page)
    assert [text for text in read_texts(at) if text.strip()]


@pytest.mark.parametrize("page", sorted(NEED_PREDICTIONS))
@pytest.mark.parametrize("name", ["votes only", "items only"])
def test_what_needs_predictions_says_so_and_leads_to_data(open_app, small, name, page):
    at = open_app(small[name], page)
    assert_says(at, "no predictions are loaded", "load")
    assert "Open Data" in {button.label for button in at.button}


@pytest.mark.parametrize("name", ["items only", "missing everywhere"])
def test_what_needs_votes_says_so_and_leads_to_data(open_app, small, name):
    at = open_app(small[name], "annotators")
    assert_says(at, "votes", "load a table with the columns item_id, annotator and label")
    assert "Open Data" in {button.label for button in at.button}


@pytest.mark.parametrize("page", PAGES)
def test_a_filter_that_nothing_fulfils_is_no_fault(open_app, digits_workspace, page):
    at = open_app(digits_workspace, page, url={"filter": "ink > 1000"})
    assert [text for text in read_texts(at) if text.strip()]


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_what_does_not_exist_is_no_fault(open_app, digits_workspace, page):
    url = {"filter": "no such (", "model": "nobody", "slice": 'nothing = "here"', "split": "nowhere", "item": "none"}
    at = open_app(digits_workspace, page, url=url)
    assert [text for text in read_texts(at) if text.strip()]

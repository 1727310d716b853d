"""What is shown, and the hash of it."""

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError, UnknownNameError
from analysis.relabel.content import Content, Image, compute_content_sha, to_keys

KEY = ("train", "7")
INDEX = pd.MultiIndex.from_tuples([KEY], names=["split", "item_id"])


def shown(value, kind="field"):
    frame = pd.DataFrame({"x": pd.Series([value], index=INDEX, dtype=object)})
    return Content.from_frame(frame, {"x": kind}, [KEY]).cells[KEY][0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", "a\nb"),
        ("007", "007"),
        (39.0, "39"),
        (0.1, "0.1"),
        (np.float64(-2.5), "-2.5"),
        (1e300, "1e+300"),
        (np.int64(5), "5"),
        (True, "true"),
        (np.False_, "false"),
        (Decimal("1.10"), "1.10"),
        (pd.Timestamp("2026-11-21"), "2026-11-21"),
        (datetime(2026, 11, 21, 8, 30), "2026-11-21 08:30:00"),  # noqa: DTZ001 - users' times are naive
        (date(2026, 11, 21), "2026-11-21"),
        (["a", 1], '["a", 1]'),
        (np.array([1.5, 2.0]), "[1.5, 2.0]"),
        ("nul\x00 and \ud800", "nul\ufffd and \ufffd"),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
    ],
)
def test_values_are_shown_as_the_user_wrote_them(value, text):
    assert shown(value) == text


def test_the_hash_is_the_first_eight_digits_of_sha256_over_the_sorted_pairs():
    text = json.dumps([["age", None], ["text", "é"]], ensure_ascii=False).encode()

    assert compute_content_sha({"text": "é", "age": None}) == hashlib.sha256(text).hexdigest()[:8]


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.none(), max_size=4), st.randoms())
def test_the_hash_does_not_depend_on_the_order_of_the_columns(values, random):
    names = list(values)
    random.shuffle(names)

    assert compute_content_sha({name: values[name] for name in names}) == compute_content_sha(values)


def test_no_hash_looks_like_a_number_or_date_to_a_spreadsheet():
    # 12345678 and 1234e567 would be saved as another text; of 20,000 plain prefixes some 700 are such.
    shas = [compute_content_sha({"text": str(number)}) for number in range(20_000)]

    def as_number(text):
        try:
            float(text)
        except ValueError:
            return False
        return True

    assert not any(as_number(sha) for sha in shas)
    assert all(len(sha) == 8 for sha in shas)
    assert len(set(shas)) > 19_990


def test_missing_and_empty_text_and_different_columns_hash_differently():
    shas = {compute_content_sha(values) for values in ({"a": ""}, {"a": None}, {"b": ""}, {"a": "", "b": ""})}

    assert len(shas) == 4


@pytest.mark.parametrize(
    ("data", "extension", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n...", "png", "image/png"),
        (b"\xff\xd8\xff\xe0...", "jpg", "image/jpeg"),
        (b"GIF89a...", "gif", "image/gif"),
        (b"RIFF\x10\n\x00\x00WEBPVP8 ", "webp", "image/webp"),
        (b"BM...", "bmp", "image/bmp"),
    ],
)
def test_images_are_known_by_their_first_bytes(data, extension, media_type):
    assert shown(data, "image") == Image(data, extension, media_type)
    assert shown(bytearray(data), "image") == Image(data, extension, media_type)


def test_bytes_that_no_browser_shows_are_refused_with_the_item_named():
    with pytest.raises(AnalysisError, match=r"'x' of item '7' is ticked as an image, but its first bytes b'%PDF-1\.7'"):
        shown(b"%PDF-1.7...", "image")
    with pytest.raises(AnalysisError, match=r"holds bytes \(item '7'\) and is ticked as text"):
        shown(b"\x89PNG\r\n\x1a\n", "text")


def test_content_that_is_missing_or_there_twice_is_refused():
    frame = pd.DataFrame({"x": ["a", "b"]}, index=pd.MultiIndex.from_tuples([KEY, KEY]))

    with pytest.raises(AnalysisError, match="'7' of split 'train' has its content twice"):
        Content.from_frame(frame, {"x": "text"}, [KEY])
    with pytest.raises(AnalysisError, match="1 of 1 items have no content, the first is '8' of split 'train'"):
        Content.from_frame(frame.iloc[:1], {"x": "text"}, [("train", "8")])


def test_columns_that_are_not_there_and_unknown_kinds_are_refused():
    frame = pd.DataFrame({"text": ["a"]}, index=INDEX)

    with pytest.raises(UnknownNameError, match="Did you mean 'text'"):
        Content.from_frame(frame, {"txt": "text"}, [KEY])
    with pytest.raises(UnknownNameError, match="Did you mean 'image'"):
        Content.from_frame(frame, {"text": "images"}, [KEY])
    with pytest.raises(AnalysisError, match="Tick at least one column"):
        Content.from_frame(frame, {}, [KEY])


@given(
    st.lists(st.text(max_size=6) | st.sampled_from(["id", "ID", "data_id", "relook_task"]), unique=True), st.booleans()
)
def test_no_two_columns_and_no_name_of_ours_become_one(names, plain):
    keys = to_keys(names, plain=plain)

    folded = [key.strip().casefold() for key in keys.values()]
    assert list(keys) == names
    assert len(set(folded)) == len(names)
    assert not {"id", "annotator", "new_label", "relook_task"} & set(folded)
    if plain:
        assert all(key.isascii() and key.replace("_", "a").isalnum() for key in keys.values())


def test_names_that_collide_with_ours_get_a_prefix():
    assert to_keys(["relook_task", "new_label", "id", "Annotator", "text"]) == {
        "relook_task": "data_relook_task",
        "new_label": "data_new_label",
        "id": "data_id",
        "Annotator": "data_Annotator",
        "text": "text",
    }

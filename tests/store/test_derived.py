"""Features of texts and pictures, against Python's own tables and plain numpy; nothing outside the folder is read."""

import io
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import laplace

from analysis.store import pictures
from analysis.store.loading.text_features import TextMeasure, measure_texts
from analysis.store.pictures import PictureError, measure_picture, read_picture_file

ROOT = Path(__file__).parents[2]
TEXT_COLUMNS = ("words", "characters", "capitals", "digits", "punctuation")


def count_by_hand(text):
    """Return the five features of a text, one character after the other."""
    if text is None:
        return (None,) * 5
    kinds = [unicodedata.category(character) for character in text]
    letters = sum(kind[0] == "L" for kind in kinds)
    n = len(text)
    return (
        len(text.split()),
        n,
        sum(kind == "Lu" for kind in kinds) / letters if letters else None,
        sum(kind[0] == "N" for kind in kinds) / n if n else None,
        sum(kind[0] == "P" for kind in kinds) / n if n else None,
    )


def measure(texts):
    table = measure_texts(pa.array(texts, type=pa.string()))
    return list(zip(*(table.column(name).to_pylist() for name in TEXT_COLUMNS), strict=True))


@given(st.lists(st.none() | st.text(max_size=30) | st.text("aB1 .,é\n€東\U0001f600", max_size=12), max_size=8))
def test_features_of_texts_are_those_counted_by_hand(texts):
    assert measure(texts) == [count_by_hand(text) for text in texts]


def test_every_character_of_unicode_is_of_pythons_class():
    points = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    # Each of the first plane alone; beyond, where planes are mostly empty, some hundred together.
    texts = [f"A {character} b" for character in points[: 2**16 - 2**11]]
    texts += ["a".join(points[start : start + 128]) for start in range(len(texts), len(points), 128)]
    assert measure(texts) == [count_by_hand(text) for text in texts]


def test_slices_and_large_strings_are_measured_as_they_read():
    texts = ["no", "Ä 1", None, "", "x. Y", "no"]
    expected = [count_by_hand(text) for text in texts[1:5]]
    for kind in (pa.string(), pa.large_string()):
        table = TextMeasure().measure(pa.array(texts, type=kind).slice(1, 4))
        assert list(zip(*(table.column(name).to_pylist() for name in TEXT_COLUMNS), strict=True)) == expected


def save(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def make_picture(seed=0, size=(23, 17), mode="L"):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "CMYK", "LA", "RGBA"])
def test_features_of_pictures_are_those_of_plain_numpy(mode):
    image = make_picture(mode=mode)
    facts = measure_picture(save(image, "TIFF" if mode == "CMYK" else "PNG"))
    grey = np.asarray(image.convert("L"), dtype=float)
    assert (facts.width, facts.height) == (23, 17)
    assert facts.brightness == pytest.approx(grey.mean() / 255, abs=1e-12)
    assert facts.contrast == pytest.approx(grey.std() / 255, abs=1e-12)
    assert facts.blur == pytest.approx(laplace(grey)[1:-1, 1:-1].var(), rel=1e-12)


def test_a_blurred_picture_has_the_lower_blur_and_a_dark_one_the_lower_brightness():
    sharp = make_picture(size=(64, 64))
    blurred = sharp.resize((16, 16)).resize((64, 64))
    assert measure_picture(save(blurred)).blur < measure_picture(save(sharp)).blur
    dark = sharp.point(lambda level: level // 2)
    assert measure_picture(save(dark)).brightness < measure_picture(save(sharp)).brightness


def test_what_shines_through_is_white_and_sixteen_bits_keep_their_levels():
    clear = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    assert measure_picture(save(clear)).brightness == 1.0
    deep = Image.fromarray(np.full((9, 9), 32_896, dtype=np.uint16))
    assert measure_picture(save(deep)).brightness == pytest.approx(128 / 255)


def test_a_tiny_picture_has_no_blur():
    facts = measure_picture(save(Image.new("L", (2, 40), 7)))
    assert (facts.width, facts.height, facts.blur) == (2, 40, None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "not a picture"),
        (save(make_picture())[:120], "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_what_is_no_picture_is_said_so(data, reason):
    with pytest.raises(PictureError, match=reason):
        measure_picture(data)


def test_a_small_file_that_unpacks_to_billions_of_pixels_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1_000)
    with pytest.raises(PictureError, match="16 million"):
        measure_picture(save(Image.new("1", (40, 40))))
    header = save(Image.new("1", (1, 1)))
    # The size stands in the header, behind the name of its chunk; its checksum is then wrong, or Pillow's own
    # limit strikes first: never is it unpacked.
    bomb = header.replace((1).to_bytes(4, "big") * 2, (60_000).to_bytes(4, "big") * 2, 1)
    with pytest.raises(PictureError):
        measure_picture(bomb)


def test_pictures_of_more_than_sixteen_million_pixels_are_left_out_unless_their_decoder_shrinks_them():
    large = Image.new("L", (4_001, 4_001), 51)
    for unshrinkable in (save(large), save(large, "JPEG", progressive=True)):
        with pytest.raises(PictureError, match="16 million"):
            measure_picture(unshrinkable)
    facts = measure_picture(save(large, "JPEG"))
    assert (facts.width, facts.height, facts.blur) == (4_001, 4_001, 0.0)
    assert facts.brightness == pytest.approx(0.2)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "I;16"])
def test_a_picture_is_measured_in_strips_as_if_at_once(monkeypatch, mode):
    noise = np.random.default_rng(7).integers(0, 256, (61, 83, 4), dtype=np.uint8)
    made = Image.fromarray(noise[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(noise)
    data = save(
        made if mode in {"RGBA", "I;16"} else made.convert("RGB").quantize(9) if mode == "P" else made.convert(mode)
    )
    monkeypatch.setattr(pictures, "_STRIP", 10**9)
    whole = measure_picture(data)
    for pixels in (1, 700):
        monkeypatch.setattr(pictures, "_STRIP", pixels)
        assert measure_picture(data) == whole


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_the_largest_picture_takes_little_more_memory_than_its_pixels(tmp_path):
    Image.new("RGBA", (4_000, 4_000), (9, 9, 9, 100)).save(tmp_path / "large.png", compress_level=1)
    script = (
        "import sys\nfrom pathlib import Path\nfrom analysis.store.pictures import measure_picture\n"
        "def find_peak():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        "data, before = Path(sys.argv[1]).read_bytes(), find_peak()\n"
        "measure_picture(data)\nsys.stdout.write(str(find_peak() - before))"
    )
    run = [sys.executable, "-c", script, str(tmp_path / "large.png")]
    kilobytes = int(subprocess.run(run, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    assert kilobytes < 160_000  # 64 MB are the pixels, 16 MB the grey ones; at once it took 324 MB


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/hostname", "a/../../secret.png", "link.png", "folder/link.png"]
)
def test_nothing_outside_the_folder_is_read(tmp_path, name):
    inside = tmp_path / "data"
    (inside / "a").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(save(make_picture()))
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "folder").symlink_to(tmp_path)
    (tmp_path / "link.png").write_bytes(b"x")
    with pytest.raises(PictureError, match="outside the folder"):
        read_picture_file(inside, name)


@pytest.mark.parametrize("name", ["absent.png", ".", "a\0b.png", "x" * 5_000])
def test_names_that_are_no_files_are_said_so(tmp_path, name):
    with pytest.raises(PictureError, match="not there|not readable"):
        read_picture_file(tmp_path, name)


def features(desk):
    """Return the computed columns, in their order, as a frame with the items' ids."""
    with desk.workspace.read() as snapshot:
        names = [column.name for column in snapshot.columns if column.role == "derived"]
    rows = desk.ask(
        "SELECT i.item_id, f.* EXCLUDE (item) FROM items i JOIN features f ON f.item = i.item ORDER BY i.item"
    )
    heads = [
        "item_id",
        *(name for (name,) in desk.ask("SELECT column_name FROM (DESCRIBE features)") if name != "item"),
    ]
    return pd.DataFrame(rows, columns=heads).set_index("item_id")[names]


TEXTS = ["Call 112 NOW!", "thanks", None, "Ähm... 7 €"]


def put_texts(desk, name="train.csv", texts=TEXTS, **more):
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(len(texts))], "label": "a", "text": texts, **more})
    return desk.put(name, frame)


def test_a_text_column_yields_five_features(desk):
    desk.load(put_texts(desk))
    found = features(desk)
    assert list(found.columns) == [f"text.{name}" for name in TEXT_COLUMNS]
    for row, text in zip(found.itertuples(index=False), TEXTS, strict=True):
        assert [None if pd.isna(v) else v for v in row] == list(count_by_hand(text))
    reasons = dict(desk.ask("SELECT name, reason FROM columns WHERE role = 'derived'"))
    assert reasons["text.words"] == "computed: words of 'text'"


def test_a_file_without_texts_or_pictures_yields_nothing(stocked):
    assert features(stocked).columns.empty


def test_a_text_column_that_is_empty_yields_nothing(desk):
    desk.load(put_texts(desk, texts=[None, None], age=[1, 2]), roles=(("text", "text"),))
    assert features(desk).columns.empty


def test_later_rows_get_features_and_replaced_texts_get_new_ones(desk):
    desk.load(put_texts(desk))
    more = pd.DataFrame({"item_id": ["j0"], "label": ["a"], "text": ["One TWO"]})
    desk.load(desk.put("more.csv", more))
    assert features(desk).loc["j0", "text.words"] == 2
    changed = pd.DataFrame(
        {"item_id": ["i1", "i2"], "label": ["a", "a"], "text": ["now four words here", "was missing"]}
    )
    desk.load(desk.put("changed.csv", changed), replace=True)
    found = features(desk)
    assert found["text.words"].tolist() == [3, 4, 2, 3, 2]


def test_the_same_file_twice_changes_nothing(desk):
    path = put_texts(desk)
    desk.load(path)
    before = desk.state()[0]
    assert not desk.load(path).changed
    assert desk.state()[0] == before


def test_a_column_of_the_user_wins_over_a_computed_one(desk):
    desk.load(put_texts(desk, **{"text.words": [9, 8, 7, 6], "Text.Digits": list("abcd")}))
    assert list(features(desk).columns) == ["text.characters", "text.capitals", "text.punctuation"]
    assert [n for (n,) in desk.ask('SELECT "text.words" FROM features ORDER BY item')] == [9, 8, 7, 6]


def test_a_column_of_the_user_that_comes_later_takes_the_name(desk):
    desk.load(put_texts(desk))
    later = pd.DataFrame({"item_id": ["j0"], "label": ["a"], "text": ["One TWO"], "text.words": ["mine"]})
    desk.load(desk.put("later.csv", later))
    assert "text.words" not in features(desk).columns
    assert [n for (n,) in desk.ask('SELECT "text.words" FROM features ORDER BY item')] == [None] * 4 + ["mine"]
    assert features(desk)["text.characters"].tolist()[-1] == 7


def put_pictures(desk, cells, name="train.parquet"):
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(len(cells))], "label": "a", "image": cells})
    return desk.put(name, frame)


def test_pictures_in_a_column_yield_their_features_and_broken_ones_are_counted(desk):
    whole = save(make_picture())
    report = desk.load(put_pictures(desk, [whole, whole[:90], None, b"nothing"]))
    found = features(desk)
    assert list(found.columns) == [
        f"image.{name}" for name in ("width", "height", "brightness", "contrast", "blur", "print")
    ]
    facts = measure_picture(whole)
    assert tuple(found.iloc[0])[:5] == (facts.width, facts.height, facts.brightness, facts.contrast, facts.blur)
    assert found.iloc[1:].isna().all().all()
    notes = " ".join(report.files[0].tally.notes)
    assert "Column 'image': 2 pictures could not be measured (2 not a picture)" in notes


def test_paths_are_read_from_the_folder_of_the_file_and_urls_never(desk):
    desk.put("pictures/a.png", save(make_picture()))
    desk.put("../outside.png", save(make_picture(1)))
    cells = ["pictures/a.png", "../outside.png", "https://example.org/a.png", "pictures/b.png", None]
    frame = pd.DataFrame({"item_id": [f"i{k}" for k in range(5)], "label": "a", "image": cells})
    report = desk.load(desk.put("train.csv", frame), roles=(("image", "image"),))
    assert features(desk)["image.width"].notna().tolist() == [True, False, False, False, False]
    (note,) = [note for note in report.files[0].tally.notes if "picture" in note]
    assert "3 pictures could not be measured" in note
    for reason in ("1 outside the folder", "1 URLs, which are never fetched", "1 not there"):
        assert reason in note


def test_urls_alone_yield_no_columns(desk):
    frame = pd.DataFrame({"item_id": ["a", "b"], "label": "a", "image": ["https://x.example/1.png", "s3://b/2.png"]})
    report = desk.load(desk.put("train.csv", frame), roles=(("image", "image"),))
    assert features(desk).columns.empty
    assert any("never fetched" in note for note in report.files[0].tally.notes)


def test_the_features_of_the_digits_are_there(shared_data, desk):
    items = pd.read_parquet(shared_data / "mnist" / "items.parquet").head(300)
    desk.load(desk.put("train.parquet", items))
    found = features(desk)
    assert set(found["image.width"]) == {28}
    greys = [np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=float).mean() / 255 for data in items["png"]]
    assert np.allclose(found["image.brightness"].astype(float), greys)
    assert not re.search("could not be measured", str(desk.ask("SELECT report FROM loads")))

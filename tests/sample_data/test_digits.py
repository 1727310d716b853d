import doctest
import io
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import fisher_exact
from sklearn.datasets import load_digits

FILES = ("train.parquet", "eval.parquet", "votes.csv", "predictions.csv")
PROBABILITIES = [f"p_{digit}" for digit in range(10)]
ONE_ROUNDING_STEP = {"ink": 0.001, "stroke_width": 0.01, "slant": 0.1}


class Sample:
    """The four files, read as text where they hold text, and what scikit-learn says about each item."""

    def __init__(self, folder):
        self.folder = folder
        self.train = pd.read_parquet(folder / "train.parquet")
        self.eval = pd.read_parquet(folder / "eval.parquet")
        self.items = pd.concat([self.train, self.eval], ignore_index=True)
        text = {"item_id": str, "label": str, "predicted": str}
        self.votes = pd.read_csv(folder / "votes.csv", dtype=text, keep_default_na=False)
        self.predictions = pd.read_csv(folder / "predictions.csv", dtype=text)
        target = load_digits().target
        self.truth = {f"digit-{position:04d}": str(digit) for position, digit in enumerate(target)}
        bold = set(self.items.loc[self.items["pen"] == "bold", "item_id"])
        self.bold_eights = {item for item in bold if self.truth[item] == "8"}


@pytest.fixture(scope="module")
def sample(root):
    return Sample(root / "sample_data" / "digits")


@pytest.fixture(scope="module")
def make(import_maker):
    return import_maker("digits")


@pytest.fixture(scope="module")
def two_runs(run_maker, tmp_path_factory):
    folders = []
    for hash_seed in ("1", "2"):
        out = tmp_path_factory.mktemp("sample")
        run_maker(hash_seed, "make.py", "digits", "--out", str(out))
        folders.append(out / "digits")
    return folders


@pytest.fixture(scope="module")
def readme(read_section):
    return read_section("Digits")


# --- how it is made ---------------------------------------------------------------------------------------


def test_two_runs_write_the_same_bytes(two_runs):
    first, second = two_runs
    assert sorted(path.name for path in first.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize("name", ["train.parquet", "eval.parquet"])
def test_the_committed_items_are_what_the_script_makes(sample, two_runs, name):
    committed, fresh = pd.read_parquet(sample.folder / name), pd.read_parquet(two_runs[0] / name)
    measured = list(ONE_ROUNDING_STEP)
    pd.testing.assert_frame_equal(fresh.drop(columns=measured), committed.drop(columns=measured))
    for column, step in ONE_ROUNDING_STEP.items():
        np.testing.assert_allclose(fresh[column], committed[column], rtol=0, atol=1.01 * step)


def test_the_committed_votes_are_what_the_script_makes(sample, two_runs):
    assert (two_runs[0] / "votes.csv").read_bytes() == (sample.folder / "votes.csv").read_bytes()


def test_the_committed_predictions_are_what_the_script_makes_up_to_the_float_noise_of_a_model(sample, two_runs):
    fresh, committed = Sample(two_runs[0]).predictions, sample.predictions
    assert fresh["item_id"].tolist() == committed["item_id"].tolist()
    np.testing.assert_allclose(fresh[PROBABILITIES], committed[PROBABILITIES], rtol=0, atol=0.01)
    top_two = np.sort(committed[PROBABILITIES].to_numpy(), axis=1)[:, -2:]
    clear = top_two[:, 1] - top_two[:, 0] > 0.02
    assert fresh["predicted"][clear].tolist() == committed["predicted"][clear].tolist()


def test_the_examples_in_the_script_run(make):
    result = doctest.testmod(make)
    assert result.attempted > 0
    assert result.failed == 0


def test_all_files_together_stay_under_600_kilobytes(sample):
    assert sum((sample.folder / name).stat().st_size for name in FILES) < 600_000


# --- items ------------------------------------------------------------------------------------------------


def test_every_digit_is_in_train_or_in_eval_once(sample):
    for frame in (sample.train, sample.eval, sample.predictions):
        assert frame["item_id"].is_unique
    assert set(sample.train["item_id"]).isdisjoint(sample.eval["item_id"])
    assert set(sample.items["item_id"]) == set(sample.truth)
    assert set(sample.predictions["item_id"]) == set(sample.truth)


def test_eval_labels_and_gold_labels_are_those_of_scikit_learn(sample):
    assert sample.eval["label"].tolist() == [sample.truth[item] for item in sample.eval["item_id"]]
    gold = sample.train.dropna(subset="gold_label")
    assert gold["gold_label"].tolist() == [sample.truth[item] for item in gold["item_id"]]


def test_an_image_shows_its_digit_dark_on_white_in_64_by_64(sample):
    originals = load_digits().images
    for item, image in zip(sample.items["item_id"], sample.items["image"], strict=True):
        picture = Image.open(io.BytesIO(image))
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (64, 64))
        pixels = np.asarray(picture)
        block_corners = pixels[::8, ::8]
        np.testing.assert_array_equal(pixels, np.kron(block_corners, np.ones((8, 8))))
        ink = (255 - block_corners) / 255 * 16
        np.testing.assert_allclose(ink, originals[int(item[-4:])], rtol=0, atol=0.04)


def test_ink_top_heavy_and_pen_agree_with_the_pixels(sample):
    images = dict(zip(sample.truth, load_digits().images, strict=True))
    total = pd.Series({item: image.sum() for item, image in images.items()})
    expected = total[sample.items["item_id"]].to_numpy()
    np.testing.assert_allclose(sample.items["ink"], expected / (16 * 64), rtol=0, atol=0.0006)
    top = [images[item][:4].sum() > images[item][4:].sum() for item in sample.items["item_id"]]
    assert sample.items["top_heavy"].tolist() == top
    by_pen = sample.items.assign(total=expected).groupby("pen")["total"].agg(["min", "max", "size"])
    assert by_pen.loc["thin", "max"] < by_pen.loc["normal", "min"]
    assert by_pen.loc["normal", "max"] < by_pen.loc["bold", "min"]
    assert by_pen["size"].between(0.95 * 599, 1.05 * 599).all()


def test_slant_is_the_regression_of_columns_on_rows_weighted_by_ink(sample):
    images = dict(zip(sample.truth, load_digits().images, strict=True))
    rows, columns = np.mgrid[:8, :8]
    for item, slant in zip(sample.items["item_id"][:200], sample.items["slant"], strict=False):
        weights = np.sqrt(images[item].ravel())  # polyfit weighs residuals, not squares
        slope, _ = np.polyfit(-rows.ravel(), columns.ravel(), 1, w=weights)
        assert slant == pytest.approx(np.degrees(np.arctan(slope)), abs=0.051)


def test_holes_width_and_stroke_width_of_drawn_shapes(make):
    ring, eight, bar, slash = (np.zeros((8, 8)) for _ in range(4))
    ring[1:7, 1:7] = 16
    ring[3:5, 3:5] = 0
    eight[:7, 2:5] = 16
    eight[[1, 2, 4, 5], 3] = 0
    bar[:, 3:5] = 16
    slash[np.arange(8), np.arange(8)[::-1]] = 16
    features = make.compute_features(np.array([ring, eight, bar, slash]))
    assert features["holes"].tolist() == [1, 2, 0, 0]
    assert features["width"].tolist() == [6, 3, 2, 8]
    assert features["slant"].tolist() == [0.0, 0.0, 0.0, 45.0]
    # A bar of 2 x 8: twice its area over its outline.
    assert features["stroke_width"][2] == 2 * 16 / 20


# --- votes ------------------------------------------------------------------------------------------------


def test_each_train_item_has_votes_of_three_different_people(sample):
    assert set(sample.votes["item_id"]) == set(sample.train["item_id"])
    by_item = sample.votes.groupby("item_id")["annotator"]
    assert set(by_item.size()) == {3}
    assert set(by_item.nunique()) == {3}


def test_the_recorded_label_is_the_majority_and_the_first_vote_decides_a_tie(sample):
    ballots = {}
    for vote in sample.votes.sort_values(["labelled_at", "annotator"]).to_dict("records"):
        if vote["label"]:
            ballots.setdefault(vote["item_id"], []).append(vote["label"])
    recorded = dict(zip(sample.train["item_id"], sample.train["label"], strict=True))
    assert recorded.keys() == ballots.keys()
    for item, ballot in ballots.items():
        most = max(ballot.count(label) for label in ballot)
        assert recorded[item] == next(label for label in ballot if ballot.count(label) == most)


def test_votes_are_listed_as_they_came_in_with_times_that_agree(sample):
    started, labelled = (
        pd.to_datetime(sample.votes[column], format="%Y-%m-%dT%H:%M:%SZ", utc=True)
        for column in ("started_at", "labelled_at")
    )
    assert labelled.is_monotonic_increasing
    between = (labelled - started).dt.total_seconds()
    assert (between - sample.votes["seconds"]).abs().max() <= 1.05  # both times are rounded to a second
    assert sample.votes["seconds"].min() > 0
    assert started.dt.day_of_week.max() <= 4  # Monday is 0
    assert (labelled.dt.date - started.dt.date).max() == pd.Timedelta(0)


def test_nobody_labels_two_items_at_once(sample):
    for _, votes in sample.votes.groupby("annotator"):
        in_order = votes.sort_values(["started_at", "labelled_at"])
        assert (in_order["started_at"].to_numpy()[1:] >= in_order["labelled_at"].to_numpy()[:-1]).all()


def test_a_batch_is_the_work_of_one_day(sample):
    days = sample.votes["labelled_at"].str[:10]
    pairs = sorted(set(zip(sample.votes["batch"], days, strict=True)))
    assert [batch for batch, _ in pairs] == [f"day-{number:02d}" for number in range(1, 11)]
    assert len({day for _, day in pairs}) == len(pairs)


# --- predictions ------------------------------------------------------------------------------------------


def test_probabilities_are_valid_and_the_predicted_label_is_the_most_probable(sample):
    pred_probs = sample.predictions[PROBABILITIES].to_numpy()
    assert pred_probs.min() >= 0
    assert pred_probs.max() <= 1
    np.testing.assert_allclose(pred_probs.sum(axis=1), 1, rtol=0, atol=1e-3)
    predicted = sample.predictions["predicted"].astype(int).to_numpy()
    assert (pred_probs[np.arange(len(predicted)), predicted] == pred_probs.max(axis=1)).all()


def test_the_model_fails_on_bold_eights_far_beyond_chance(sample):
    counts = compute_eval_errors(sample).groupby("bold_eight")["error"].agg(["sum", "size"])
    table = np.column_stack([counts["sum"], counts["size"] - counts["sum"]])
    assert fisher_exact(table).pvalue < 1e-9


# --- the numbers in the README ----------------------------------------------------------------------------


def compute_eval_errors(sample):
    frame = sample.eval.merge(sample.predictions, on="item_id")
    return pd.DataFrame(
        {
            "error": frame["predicted"] != frame["label"],
            "bold_eight": frame["item_id"].isin(sample.bold_eights),
        }
    )


def to_share(values):
    return f"{np.mean(values):.1%}"


def compute_facts(sample):
    train, votes = sample.train, sample.votes
    differs = train["label"] != train["item_id"].map(sample.truth)
    bold_eight = train["item_id"].isin(sample.bold_eights)
    gold = train["gold_label"].notna()
    evaluated = compute_eval_errors(sample)
    out_of_fold = train.merge(sample.predictions, on="item_id")
    cast = votes[votes["label"] != ""].groupby("item_id")["label"]
    counts = cast.agg(lambda labels: sorted(Counter(labels).values(), reverse=True))
    nines_of_dan = votes[(votes["annotator"] == "dan") & (votes["item_id"].map(sample.truth) == "9")]
    return {
        "items": f"{len(sample.items):,}",
        "items in train": f"{len(train):,}",
        "items in eval": f"{len(sample.eval):,}",
        "items with a gold label": f"{gold.sum()}",
        "votes": f"{len(votes):,}",
        "votes for each item of train": f"{len(votes) // len(train)}",
        "annotators": f"{votes['annotator'].nunique()}",
        "batches, one each working day": f"{votes['batch'].nunique()}",
        "first day": votes["labelled_at"].min()[:10],
        "last day": votes["labelled_at"].max()[:10],
        "votes that are empty": f"{(votes['label'] == '').sum()}",
        "votes that took over ten minutes": f"{(votes['seconds'] > 600).sum()}",
        "items with tied votes": f"{(counts.str[0] == counts.str[1]).sum()}",
        "train labels that differ from scikit-learn's": f"{differs.sum()}",
        "the same as a share": to_share(differs),
        "gold labels that differ from the recorded label": f"{differs[gold].sum()}",
        "bold eights in train": f"{bold_eight.sum()}",
        "share of their labels that differ from scikit-learn's": to_share(differs[bold_eight]),
        "the same for all other items": to_share(differs[~bold_eight]),
        "error in eval": to_share(evaluated["error"]),
        "bold eights in eval": f"{evaluated['bold_eight'].sum()}",
        "error among them": to_share(evaluated.loc[evaluated["bold_eight"], "error"]),
        "error in the rest of eval": to_share(evaluated.loc[~evaluated["bold_eight"], "error"]),
        "error in train, out of fold, against the recorded label": to_share(
            out_of_fold["predicted"] != out_of_fold["label"]
        ),
        "share of his 9s that dan takes for 8s": to_share(nines_of_dan["label"] == "8"),
    }


def compute_panel(sample):
    votes = sample.votes.assign(
        differs=sample.votes["label"] != sample.votes["item_id"].map(sample.truth),
        bold_eight=sample.votes["item_id"].isin(sample.bold_eights),
    )
    return {
        name: [
            f"{len(own)}",
            to_share(own["differs"]),
            to_share(own.loc[own["bold_eight"], "differs"]),
            to_share(own.loc[~own["bold_eight"], "differs"]),
            f"{own['seconds'].median():.1f}",
            own["labelled_at"].min()[:10],
        ]
        for name, own in votes.groupby("annotator")
    }


def test_every_number_in_the_readme_is_what_the_files_say(sample, readme, read_table):
    assert dict(read_table(readme, "what")) == compute_facts(sample)


def test_every_person_in_the_readme_is_as_the_votes_say(sample, readme, read_table):
    rows = read_table(readme, "annotator")
    assert {name: numbers for name, _, *numbers in rows} == compute_panel(sample)


def test_the_readme_names_the_planted_habit_of_each_person(make, readme, read_table):
    words = {"careful": "careful", "nine_as_eight": "takes 9 for 8", "careless": "fast and careless"}
    expected = {
        person.name: words[person.habit] + (", started late" if person.first_day else "") for person in make.PANEL
    }
    assert {row[0]: row[1] for row in read_table(readme, "annotator")} == expected


def test_the_readme_lists_the_columns_in_their_order(readme, sample, read_table):
    listed = {file.strip("`"): re.findall(r"`(\w+)`", columns) for file, columns in read_table(readme, "file")}
    files = (sample.train, sample.eval, sample.votes, sample.predictions)
    assert listed == {name: list(frame.columns) for name, frame in zip(FILES, files, strict=True)}


def test_outside_its_tables_the_readme_gives_no_number_but_digits_scales_and_sources(readme):
    prose = "\n".join(line for line in readme.splitlines() if not line.startswith("|"))
    prose = re.sub(r"https?://\S+", "", prose)
    numbers = set(re.findall(r"\d[\d.,]*\d|\d", prose))
    assert numbers <= {"0", "1", "8", "9", "1998", "4.0"}


def test_people_outside_the_planted_habits_err_about_three_in_a_hundred(sample, make):
    careful = {person.name for person in make.PANEL if person.habit == "careful"}
    votes = sample.votes[sample.votes["annotator"].isin(careful) & ~sample.votes["item_id"].isin(sample.bold_eights)]
    assert 0.02 < (votes["label"] != votes["item_id"].map(sample.truth)).mean() < 0.05

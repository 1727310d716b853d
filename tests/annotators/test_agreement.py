"""Alpha and the kappas against other libraries, published examples and their own symmetries."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as fleiss_of_statsmodels

from analysis.annotators import cohen_kappa, compute_alpha_interval, fleiss_kappa, krippendorff_alpha
from analysis.errors import AnalysisError

LEVELS = ["nominal", "ordinal", "interval"]

rows = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from("abcd"), st.sampled_from([1, 2, 3, 7, None])),
    min_size=2,
    max_size=32,
    unique_by=lambda vote: vote[:2],
)

# Krippendorff (2011), Computing Krippendorff's alpha-reliability, example D: four observers, twelve units,
# gaps.
PUBLISHED = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]


def to_votes(triples):
    return pd.DataFrame(triples, columns=["item_id", "annotator", "label"], dtype=object)


def published_votes():
    return to_votes(
        [
            (unit, observer, None if value == "." else int(value))
            for observer, line in enumerate(PUBLISHED)
            for unit, value in enumerate(line.split())
        ]
    )


def alpha_of_library(votes, level):
    """Ask the krippendorff package, by counts of values."""
    known = votes.dropna(subset="label")
    counts = pd.crosstab(known["item_id"], known["label"])
    domain = counts.columns.to_numpy(dtype=float)
    return krippendorff.alpha(value_counts=counts.to_numpy(), value_domain=domain, level_of_measurement=level)


def can_be_compared(votes):
    """Tell whether the votes on items with two labels or more hold at least two different labels."""
    known = votes.dropna(subset="label")
    paired = known[known.groupby("item_id")["label"].transform("size") > 1]
    return len(set(paired["label"])) > 1


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_gives_the_published_numbers(level, alpha):
    assert krippendorff_alpha(published_votes(), level=level) == pytest.approx(alpha, abs=5e-4)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=50, deadline=None)
@given(rows)
def test_alpha_equals_the_krippendorff_package(level, triples):
    votes = to_votes(triples)
    assume(can_be_compared(votes))
    assert krippendorff_alpha(votes, level=level) == pytest.approx(alpha_of_library(votes, level), abs=1e-9)


def test_alpha_on_real_votes_equals_the_krippendorff_package(shared_data):
    votes = pd.read_csv(shared_data / "relations" / "votes.csv", dtype="str").rename(columns={"worker": "annotator"})
    counts = pd.crosstab(votes["item_id"], votes["label"]).to_numpy()
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert krippendorff_alpha(votes) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(rows, st.randoms(use_true_random=False), st.permutations([1, 2, 3, 7]))
def test_alpha_knows_neither_the_order_of_rows_nor_the_names_of_people_and_labels(triples, random, renamed):
    votes = to_votes(triples)
    assume(can_be_compared(votes))
    names = dict(zip([1, 2, 3, 7], renamed, strict=True)) | {None: None}
    people = dict(zip("abcd", random.sample("wxyz", 4), strict=True))
    other = [(item, people[annotator], names[label]) for item, annotator, label in triples]
    random.shuffle(other)
    assert krippendorff_alpha(to_votes(other)) == pytest.approx(krippendorff_alpha(votes), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(rows, st.floats(0.1, 10), st.integers(-2000, 2000))
def test_interval_alpha_knows_neither_unit_nor_origin(triples, unit, origin):
    votes = to_votes(triples)
    assume(can_be_compared(votes))
    moved = votes.assign(label=[None if pd.isna(x) else x * unit + origin for x in votes["label"]])
    expected = krippendorff_alpha(votes, level="interval")
    assert krippendorff_alpha(moved, level="interval") == pytest.approx(expected, abs=1e-8)


def test_an_ordered_category_gives_the_order_of_the_ordinal_level():
    grades = {1: "poor", 2: "fair", 3: "good", 4: "great", 5: "best"}
    votes = published_votes()
    kind = pd.CategoricalDtype(list(grades.values()), ordered=True)
    graded = votes.assign(label=pd.Series([grades.get(x) for x in votes["label"]]).astype(kind))
    assert krippendorff_alpha(graded, level="ordinal") == krippendorff_alpha(votes, level="ordinal")


def test_text_without_order_is_refused_by_levels_that_need_one():
    votes = to_votes([(1, "a", "cat"), (1, "b", "dog")])
    with pytest.raises(AnalysisError, match=r"numbers or an ordered category\. Found 2 other labels: 'cat', 'dog'"):
        krippendorff_alpha(votes, level="ordinal")
    with pytest.raises(AnalysisError, match="needs labels that are numbers"):
        krippendorff_alpha(votes, level="interval")


def test_two_spellings_of_one_number_are_refused_where_labels_are_numbers():
    votes = to_votes([(1, "a", "1"), (1, "b", "01")])
    for level in ("ordinal", "interval"):
        with pytest.raises(AnalysisError, match="Found '01' and '1'"):
            krippendorff_alpha(votes, level=level)


def test_an_unknown_level_is_refused_with_the_known_ones():
    with pytest.raises(AnalysisError, match="Did you mean 'nominal'"):
        krippendorff_alpha(published_votes(), level="nominale")


@pytest.mark.parametrize(
    ("triples", "reason"),
    [
        ([], "no item has labels of two people"),
        ([(1, "a", "x"), (2, "b", "y")], "no item has labels of two people"),
        ([(1, "a", "x"), (1, "b", None)], "no item has labels of two people"),
        ([(1, "a", "x"), (1, "a", "y")], "no item has labels of two people"),
        ([(1, "a", "x"), (1, "b", "x"), (2, "a", "y")], "give one label, 'x'"),
    ],
)
def test_alpha_is_an_error_where_it_is_undefined(triples, reason):
    with pytest.raises(AnalysisError, match=reason):
        krippendorff_alpha(to_votes(triples))
    with pytest.raises(AnalysisError, match=reason):
        compute_alpha_interval(to_votes(triples), seed=1)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_bootstrap_equals_recounting_the_drawn_items(level):
    votes = published_votes()
    value, low, high = compute_alpha_interval(votes, level=level, resamples=200, seed=5)
    known = votes.dropna(subset="label")
    # Items stand in the order of their ids as text, so that the same seed draws the same ones.
    counts = pd.crosstab(known["item_id"].astype("str"), known["label"]).to_numpy()
    counts = counts[counts.sum(axis=1) > 1]
    generator = np.random.default_rng(5)
    drawn = [counts[generator.integers(len(counts), size=len(counts))] for _ in range(200)]
    domain = np.arange(1.0, 6.0)
    expected = [
        krippendorff.alpha(value_counts=sample, value_domain=domain, level_of_measurement=level) for sample in drawn
    ]
    assert value == krippendorff_alpha(votes, level=level)
    assert (low, high) == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])), abs=1e-9)


def test_alpha_interval_repeats_by_seed_and_narrows_with_items():
    few = published_votes()
    many = pd.concat([few.assign(item_id=few["item_id"] + 100 * copy) for copy in range(16)])
    _, low_few, high_few = compute_alpha_interval(few, seed=3)
    _, low_many, high_many = compute_alpha_interval(many, seed=3)
    assert (low_few, high_few) == compute_alpha_interval(few, seed=3)[1:]
    assert (high_many - low_many) / (high_few - low_few) == pytest.approx(1 / 4, rel=0.35)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_cohen_equals_scikit_learn(both):
    first, second = zip(*both, strict=True)
    votes = to_votes(
        [(i, "a", label) for i, label in enumerate(first)] + [(i, "b", label) for i, label in enumerate(second)]
    )
    if len(set(first) | set(second)) == 1:
        with pytest.raises(AnalysisError, match="undefined"):
            cohen_kappa(votes)
    else:
        assert cohen_kappa(votes) == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def test_cohen_gives_the_number_of_the_textbook_table():
    # 50 proposals: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no give 0.40.
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    votes = to_votes([(i, who, pair[k]) for i, pair in enumerate(pairs) for k, who in enumerate("ab")])
    assert cohen_kappa(votes) == pytest.approx(0.40, abs=1e-12)


def test_cohen_compares_the_two_people_named_on_the_items_both_labelled():
    votes = published_votes()
    both = votes.pivot_table(index="item_id", columns="annotator", values="label", aggfunc="first")
    both = both[[0, 3]].dropna().astype(int)
    expected = cohen_kappa_score(both[0], both[3])
    assert cohen_kappa(votes, annotators=("0", "3")) == pytest.approx(expected, abs=1e-9)
    assert cohen_kappa(votes, annotators=("3", "0")) == pytest.approx(expected, abs=1e-9)


def test_cohen_says_what_it_lacks():
    votes = published_votes()
    with pytest.raises(AnalysisError, match=r"compares two people\. Found 4"):
        cohen_kappa(votes)
    with pytest.raises(AnalysisError, match=r"compares two people\. Found 1"):
        cohen_kappa(votes, annotators=("0", "0"))
    with pytest.raises(AnalysisError, match="no annotator 'ann'"):
        cohen_kappa(votes, annotators=("0", "ann"))
    with pytest.raises(AnalysisError, match="none in common"):
        cohen_kappa(to_votes([(1, "a", "x"), (2, "b", "x")]))


def test_fleiss_gives_the_number_of_the_textbook_table():
    counts = [
        "0 0 0 0 14",
        "0 2 6 4 2",
        "0 0 3 5 6",
        "0 3 9 2 0",
        "2 2 8 1 1",
        "7 7 0 0 0",
        "3 2 6 3 0",
        "2 5 3 2 2",
        "6 5 2 1 0",
        "0 2 2 3 7",
    ]
    triples = []
    for item, line in enumerate(counts):
        labels = [label for label, count in enumerate(map(int, line.split())) for _ in range(count)]
        triples += [(item, person, label) for person, label in enumerate(labels)]
    assert fleiss_kappa(to_votes(triples)) == pytest.approx(0.210, abs=5e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 5).flatmap(lambda m: st.lists(st.lists(st.sampled_from("xyz"), min_size=m, max_size=m), min_size=1))
)
def test_fleiss_equals_statsmodels(table):
    votes = to_votes([(i, k, label) for i, line in enumerate(table) for k, label in enumerate(line)])
    if len(set(votes["label"])) == 1:
        with pytest.raises(AnalysisError, match="undefined"):
            fleiss_kappa(votes)
    else:
        expected = fleiss_of_statsmodels(aggregate_raters(np.array(table))[0], method="fleiss")
        assert fleiss_kappa(votes) == pytest.approx(expected, abs=1e-9)


def test_fleiss_needs_the_same_number_of_labels_on_every_item():
    uneven = to_votes([(1, "a", "x"), (1, "b", "y"), (2, "a", "x"), (2, "b", None)])
    with pytest.raises(AnalysisError, match="Found 1 to 2 on 2 items"):
        fleiss_kappa(uneven)
    with pytest.raises(AnalysisError, match="Found 0 to 0 on 0 items"):
        fleiss_kappa(to_votes([]))
    with pytest.raises(AnalysisError, match="at least two"):
        fleiss_kappa(to_votes([(1, "a", "x"), (2, "a", "y")]))

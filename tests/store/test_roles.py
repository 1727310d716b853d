"""Roles are guessed from names and values, each with its reason, and the user's word counts more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError, UnknownNameError
from analysis.roles import ROLES, ColumnFacts, Roles, guess_kind, guess_roles, guess_split


def column(name, kind="text", **facts):
    known = {"rows": 100, "missing": 0, "distinct": 10, **facts}
    if kind in {"integer", "number"}:
        known = {"low": 0.0, "high": 1.0, "whole": kind == "integer", **known}
    return ColumnFacts(name, kind, **known)


def roles_of(*columns, given=(), labels=None):
    found = guess_roles(columns, given, labels)
    return {role: guess.column for role, guess in found.single.items()}


# --- Names


@pytest.mark.parametrize(
    ("name", "kind", "role"),
    [
        ("item_id", "text", "item_id"),
        ("Item ID", "integer", "item_id"),
        ("uuid", "text", "item_id"),
        ("image_id", "text", "item_id"),
        ("true_label", "text", "given_label"),
        ("Target", "integer", "given_label"),
        ("y", "integer", "given_label"),
        ("ground-truth", "text", "given_label"),
        ("gold", "text", "gold_label"),
        ("y_pred", "integer", "predicted"),
        ("predicted.label", "text", "predicted"),
        ("pred_probs", "numbers", "pred_probs"),
        ("WorkerId", "text", "annotator"),
        ("rater_id", "text", "annotator"),
        ("user_id", "text", "group"),
        ("split", "text", "split"),
        ("fold", "integer", "fold"),
        ("duration_s", "number", "seconds"),
        ("lead_time", "number", "seconds"),
        ("submitted_at", "date", "labelled_at"),
        ("sentence", "text", "text"),
        ("png", "bytes", "image"),
    ],
)
def test_columns_are_recognised_by_the_names_that_people_use(name, kind, role):
    assert roles_of(column(name, kind)) == {role: name}


@pytest.mark.parametrize("name", ["labelling_cost", "my label", "identity", "predicate", "probable", "täg", "", "x"])
def test_a_name_that_only_resembles_one_is_a_feature(name):
    found = guess_roles([column(name)])

    assert (found.single, found.features) == ({}, (name,))
    assert found.reasons == {name: "no role has such a name"}


def test_the_most_trusted_name_wins_and_the_others_are_features():
    columns = [column("id"), column("item_id"), column("label"), column("given_label"), column("category")]

    found = guess_roles(columns)

    assert {role: guess.column for role, guess in found.single.items()} == {
        "item_id": "item_id", "given_label": "given_label",
    }  # fmt: skip
    assert found.features == ("id", "label", "category")


# --- Values


@pytest.mark.parametrize(
    ("name", "kind", "facts"),
    [
        ("label", "number", {"whole": False}),
        ("label", "numbers", {}),
        ("label", "date", {}),
        ("predicted", "number", {"whole": False}),
        ("probabilities", "number", {}),
        ("seconds", "text", {}),
        ("created_at", "integer", {}),
        ("text", "integer", {}),
        ("image", "integer", {}),
    ],
)
def test_values_that_cannot_be_it_make_the_name_count_for_nothing(name, kind, facts):
    assert roles_of(column(name, kind, **facts)) == {}


@pytest.mark.parametrize("name", ["label", "predicted", "gold_label"])
def test_whole_numbers_with_gaps_are_class_names(name):
    """A column of integers with a missing value arrives as floats."""
    assert list(roles_of(column(name, "number", whole=True, missing=3)).values()) == [name]


def test_an_empty_column_may_be_what_its_name_says():
    assert roles_of(column("seconds", "text", missing=100), column("submitted_at", "text", missing=100)) == {
        "seconds": "seconds", "labelled_at": "submitted_at",
    }  # fmt: skip


def test_a_column_of_bytes_is_a_picture_whatever_its_name():
    found = guess_roles([column("raw", "bytes")])

    assert (found.column("image"), found.single["image"].reason) == ("raw", "holds bytes")
    assert found.features == ("raw",)


def test_text_and_pictures_are_shown_and_stay_columns_of_the_user():
    found = guess_roles([column("id"), column("sentence"), column("img", "bytes"), column("age", "integer")])

    assert found.features == ("sentence", "img", "age")


# --- Probabilities


def probabilities(names, *, labels=None, extra=(), **facts):
    columns = [column(name, "number", **facts) for name in names]
    return dict(guess_roles([*columns, *extra], labels=labels).probabilities)


@pytest.mark.parametrize("prefix", ["p_", "prob_", "Prob:", "pred_prob_", "softmax.", "model_1_proba-", "score "])
def test_one_prefix_and_one_column_a_class_are_probabilities(prefix):
    assert probabilities([prefix + "cat", prefix + "dog"]) == {"cat": prefix + "cat", "dog": prefix + "dog"}


@pytest.mark.parametrize(
    "names", [["p_cat"], ["p_cat", "prob_dog"], ["pcat", "pdog"], ["top_cat", "top_dog"], ["cat_p", "dog_p"]]
)
def test_what_does_not_share_a_prefix_is_none(names):
    assert probabilities(names) == {}


def test_without_known_labels_the_numbers_decide():
    assert probabilities(["p_cat", "p_dog"], low=-0.002, high=1.002) != {}
    assert probabilities(["p_cat", "p_dog"], high=250.0) == {}


def test_with_known_labels_the_names_decide_and_faulty_values_are_left_to_the_rows():
    assert probabilities(["p_cat", "p_dog"], labels=["cat", "dog"], high=250.0) != {}


@pytest.mark.parametrize(
    ("names", "labels", "classes"),
    [
        (["prob_p_1", "prob_q"], ["p_1", "q"], ["p_1", "q"]),
        (["prob_score.high", "prob_score.low"], ["score.high", "score.low"], ["score.high", "score.low"]),
        (["prob_<=50K", "prob_>50K"], ["<=50K", ">50K"], ["<=50K", ">50K"]),
        (["p_a\nb", "p_c d"], ["a\nb", "c d"], ["a\nb", "c d"]),
        (["p_0", "p_1", "p_2"], ["0", "2"], ["0", "1", "2"]),
    ],
)
def test_known_labels_say_where_the_prefix_ends(names, labels, classes):
    assert list(probabilities(names, labels=labels)) == classes


def test_the_family_that_names_known_classes_is_taken():
    names = ["score_x", "score_y", "score_z", "p_cat", "p_dog"]

    assert list(probabilities(names)) == ["x", "y", "z"]
    assert list(probabilities(names, labels=["cat", "dog"])) == ["cat", "dog"]


def test_beside_labels_numbers_named_for_something_else_are_features():
    found = guess_roles([column("label"), column("score_x", "number"), column("score_y", "number")], labels=["cat"])

    assert (found.probabilities, found.features) == ({}, ("score_x", "score_y"))


# --- What the user says


def test_what_the_user_says_wins_and_frees_the_guess():
    columns = [column("item_id"), column("name"), column("label"), column("kind")]

    found = guess_roles(columns, [("item_id", "name"), ("given_label", "kind")])

    assert (found.column("item_id"), found.column("given_label")) == ("name", "kind")
    assert found.single["item_id"].reason == "you said so"
    assert found.features == ("item_id", "label")


def test_several_columns_can_be_kept_as_features():
    columns = [column("id"), column("group"), column("fold"), column("label")]

    found = guess_roles(columns, [("feature", "group"), ("feature", "fold")])

    assert found.features == ("group", "fold")
    assert found.reasons["group"] == "you said so"


def test_the_row_number_can_be_the_id():
    assert roles_of(column("x"), given=[("item_id", "@row")]) == {"item_id": "@row"}
    with pytest.raises(UnknownNameError, match="There is no column '@row'"):
        guess_roles([column("x")], [("group", "@row")])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([("labels", "x")], "There is no role 'labels'"),
        ([("group", "y")], "There is no column 'y'"),
        ([("seconds", "x")], "Column 'x' cannot be the seconds: its values are not numbers. Choose another column."),
        ([("group", "x"), ("group", "z")], "--role group was given twice: 'x' and 'z'. One column can be the group."),
    ],
)
def test_what_cannot_be_is_refused(given, sentence):
    with pytest.raises(AnalysisError, match=sentence):
        guess_roles([column("x"), column("z")], given)


NAMES = st.lists(
    st.sampled_from(["id", "label", "Label 2", "p_a", "p_b", "prob_c", "text", "image", "y", "pred", "age", "worker"]),
    unique=True,
)
KINDS = st.sampled_from(["integer", "number", "boolean", "date", "text", "numbers", "bytes", "other"])


@given(NAMES, st.data())
@settings(max_examples=100, deadline=None)
def test_every_column_is_one_thing_and_has_a_reason(names, data):
    columns = [column(name, data.draw(KINDS)) for name in names]

    found = guess_roles(columns, labels=data.draw(st.none() | st.just(["a", "b"])))

    singles = [guess.column for guess in found.single.values()]
    assert len(singles) == len(set(singles))
    assert set(found.single) <= set(ROLES)
    shown = {found.column("text"), found.column("image")}
    assert {*singles, *found.probabilities.values(), *found.features} == set(names)
    assert not set(found.features) & ({*singles, *found.probabilities.values()} - shown)
    assert set(found.reasons) == set(names)


# --- Kinds and splits


def make_roles(*names, features=(), probs=False):
    kinds = {"pred_probs": "numbers"}
    columns = [column(name, kinds.get(name, "text")) for name in (*names, *features)]
    if probs:
        columns += [column("p_a", "number"), column("p_b", "number")]
    return guess_roles(columns)


@pytest.mark.parametrize(
    ("roles", "facts", "kind"),
    [
        (make_roles("item_id", "label", features=["age"]), {}, "items"),
        (make_roles("item_id", "predicted"), {}, "predictions"),
        (make_roles("item_id", probs=True), {}, "predictions"),
        (make_roles("item_id", "predicted", "label"), {}, "items"),
        (make_roles("item_id", "predicted", "label"), {"known_ids": True}, "predictions"),
        (make_roles("item_id", "predicted", features=["took"]), {"known_ids": True}, "predictions"),
        (make_roles("item_id", "predicted", features=["age"]), {"known_ids": True, "known_features": True}, "items"),
        (make_roles("item_id", "predicted", "label", features=["age"]), {"known_ids": True}, "items"),
        (make_roles("item_id", "annotator", "label"), {"repeated_ids": True}, "votes"),
        (make_roles("item_id", "annotator", "label", features=["age"]), {"repeated_ids": True}, "votes"),
        (make_roles("item_id", "annotator", "label"), {"known_ids": True}, "votes"),
        (make_roles("item_id", "annotator", "label", features=["age"]), {"known_ids": True}, "items"),
        (make_roles("item_id", "annotator", "label"), {}, "items"),
        (make_roles("item_id", "annotator", "label", probs=True), {"repeated_ids": True}, "items"),
        (Roles({}), {}, "items"),
    ],
)
def test_what_the_rows_of_a_file_are(roles, facts, kind):
    found, reason = guess_kind(roles, **{"repeated_ids": False, "known_ids": False, **facts})

    assert found == kind
    assert reason


@pytest.mark.parametrize(
    ("stem", "split"),
    [
        ("train", "train"), ("adult-Training-2026", "train"), ("test", "eval"), ("X_val", "eval"), ("holdout1", "eval"),
        ("dev.set", "eval"), ("trainer", None), ("contest", None), ("predictions", None), ("train_test", None), ("", None),
    ],
)  # fmt: skip
def test_the_split_is_read_from_words_of_the_name(stem, split):
    assert guess_split(stem) == split

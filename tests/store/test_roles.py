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


# --- Names that need company


VOTES = [column("item_id"), column("annotator", distinct=8), column("label")]
PREDICTIONS = [column("item_id"), column("predicted")]


@pytest.mark.parametrize(
    ("name", "kind", "role"),
    [
        ("team", "text", "team"),
        ("Vendor", "text", "team"),
        ("agency", "text", "team"),
        ("site", "integer", "team"),
        ("reviewer", "text", "reviewer"),
        ("reviewed_by", "text", "reviewer"),
        ("checked_by", "integer", "reviewer"),
        ("QA", "text", "reviewer"),
        ("auditor", "text", "reviewer"),
        ("review_verdict", "text", "verdict"),
        ("review_status", "text", "verdict"),
        ("AssignmentStatus", "text", "verdict"),
        ("accepted", "boolean", "verdict"),
        ("suggestion", "text", "suggested"),
        ("suggested_label", "text", "suggested"),
        ("prelabelled", "text", "suggested"),
        ("model_suggestion", "text", "suggested"),
        ("round", "integer", "round"),
        ("iteration", "integer", "round"),
        ("pass", "number", "round"),
        ("guideline_version", "number", "guideline"),
        ("guidelines", "text", "guideline"),
        ("spec_version", "text", "guideline"),
        ("notes", "text", "comment"),
        ("remark", "text", "comment"),
    ],
)
def test_what_is_said_about_a_vote_is_recognised_beside_the_annotator_alone(name, kind, role):
    told = column(name, kind, low=0.0, high=3.0, whole=True, distinct=4)

    found = guess_roles([*VOTES, told])
    assert (found.column(role), found.single[role].reason) == (name, f"named {name!r}, beside the annotator")

    alone = guess_roles([column("item_id"), column("label"), told])
    assert (alone.column(role), alone.features) == (None, (name,))


@pytest.mark.parametrize("name", ["site", "company", "provider", "pass", "iteration", "accepted", "qa", "suggestion"])
def test_a_name_that_may_as_well_describe_the_item_is_a_feature_where_others_do(name):
    told = column(name, "integer", distinct=4)

    assert guess_roles([*VOTES, told, column("age", "integer")]).features == (name, "age")


@pytest.mark.parametrize(
    "told",
    [
        column("team", distinct=90),
        column("vendor", distinct=12),
        column("reviewer", "bytes"),
        column("suggestion", distinct=95),
        column("round", "number", whole=False),
        column("round", "integer", low=-1.0),
        column("round", "integer", high=3e9),
        column("round", "text"),
        column("round", "integer", distinct=95),
        column("notes", "integer"),
        column("status", distinct=3),
    ],
    ids=lambda told: told.name,
)
def test_values_that_contradict_make_company_count_for_nothing(told):
    found = guess_roles([*VOTES, told])

    assert set(found.single) - {"image"} == {"item_id", "annotator", "given_label"}


def test_a_status_is_a_verdict_beside_a_reviewer():
    assert roles_of(*VOTES, column("reviewer"), column("status"))["verdict"] == "status"


def test_what_the_user_says_needs_no_company():
    found = guess_roles(
        [column("id"), column("label"), column("crew", distinct=99), column("n", "integer", distinct=99)],
        [("team", "crew"), ("round", "n")],
    )

    assert (found.column("team"), found.column("round"), found.features) == ("crew", "n", ())


@pytest.mark.parametrize("name", ["model", "model_name", "Model version"])
def test_a_model_is_recognised_beside_predictions(name):
    found = guess_roles([*PREDICTIONS, column(name, distinct=2)])

    assert (found.column("model"), found.single["model"].reason) == (name, f"named {name!r}, beside predictions")
    assert guess_roles([column("id"), column("label"), column(name, distinct=2)]).features == (name,)


@pytest.mark.parametrize("others", [[column("label")], [column("make"), column("year", "integer")]], ids=len)
def test_the_model_of_a_car_is_a_feature(others):
    found = guess_roles([*PREDICTIONS, column("model", distinct=9), *others])

    assert (found.column("model"), "model" in found.features) == (None, True)


@pytest.mark.parametrize("name", ["embedding", "vector", "emb", "Features"])
def test_a_list_of_numbers_may_be_an_embedding(name):
    assert roles_of(column(name, "numbers")) == {"embedding": name}
    assert roles_of(column(name, "number")) == {}


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


def test_columns_of_one_annotator_each_are_passed_on():
    found = guess_roles([column("id"), column("ana"), column("x"), column("ben")], [("vote", "ben"), ("vote", "ana")])

    assert (found.votes, found.features) == (("ana", "ben"), ("x",))


@pytest.mark.parametrize(
    ("names", "labels", "classes"),
    [
        (["cat score", "dog score"], None, ["cat score", "dog score"]),
        (["p_cat", "p_dog"], None, ["cat", "dog"]),
        (["m1 cat", "m1 dog"], ["cat", "dog"], ["cat", "dog"]),
    ],
)
def test_columns_can_be_said_to_be_probabilities(names, labels, classes):
    columns = [column("id"), *(column(name, "number") for name in [*names, "p_x", "p_y"])]

    found = guess_roles(columns, [("probability", name) for name in names], labels)

    assert list(found.probabilities) == classes
    assert found.features == ("p_x", "p_y")
    assert {found.reasons[name] for name in names} == {"you said so"}


def test_two_probabilities_of_one_class_are_refused():
    columns = [column("id"), column("a cat", "number"), column("b cat", "number")]
    with pytest.raises(AnalysisError, match="Columns 'a cat' and 'b cat' are both the probability of class 'cat'"):
        guess_roles(columns, [("probability", "a cat"), ("probability", "b cat")], ["cat"])


def test_the_row_number_can_be_the_id():
    assert roles_of(column("x"), given=[("item_id", "@row")]) == {"item_id": "@row"}
    with pytest.raises(UnknownNameError, match="There is no column '@row'"):
        guess_roles([column("x")], [("group", "@row")])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([("labels", "x")], "There is no role 'labels'"),
        ([("group", "y")], "There is no column 'y'"),
        ([("round", "x")], "Column 'x' cannot be the round: its values are not whole numbers. Choose another column."),
        ([("seconds", "x")], "Column 'x' cannot be the seconds: its values are not numbers. Choose another column."),
        ([("group", "x"), ("group", "z")], "--role group was given twice: 'x' and 'z'. One column can be the group."),
    ],
)
def test_what_cannot_be_is_refused(given, sentence):
    with pytest.raises(AnalysisError, match=sentence):
        guess_roles([column("x"), column("z")], given)


NAMES = st.lists(
    st.sampled_from(
        ["id", "label", "Label 2", "p_a", "p_b", "prob_c", "text", "image", "y", "pred", "age", "worker", "vendor",
         "reviewer", "status", "round", "note", "model", "emb", "site"]
    ),
    unique=True,
)  # fmt: skip
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
        (make_roles("item_id", "annotator", "label", "reviewer", "verdict", "notes"), {"known_ids": True}, "votes"),
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

"""The story of the tickets: what is planted is found by counting, and the README has the counts."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.core.slice_text import parse_slice

LABELS_WRONG = 'language = "de" & product = "mobile plan"'
ROWS_MISSING = 'language = "it"'
AMBIGUOUS = 'channel = "chat" & product = "speaker"'
SEVEN = {
    "diogo.ferreira@northlight.example", "chiara.bianchi@northlight.example", "ngozi.okafor@northlight.example",
    "elena.popescu@northlight.example", "bd-103", "bd-104", "bd-110",
}  # fmt: skip
CONFUSES, RANDOM, TIRES, NEW = "tomasz.nowak@northlight.example", "marek.horvat@northlight.example", "bd-108", "bd-111"
GONE_WRONG = "week-5-northlight"


@pytest.fixture(scope="module")
def readme(read_section):
    return read_section("Tickets")


# --- what is planted --------------------------------------------------------------------------------------


def test_wrong_train_labels_are_mended_by_the_true_ones_and_the_other_two_slices_are_not(sample, retrained):
    before = sample.errors[1]
    after = {
        text: (before[holds(sample.eval)].mean(), retrained[holds(sample.eval)].mean())
        for text, holds in sample.slices.items()
    }
    assert after[LABELS_WRONG][0] > 0.6
    assert after[LABELS_WRONG][1] < 0.05
    for text in (ROWS_MISSING, AMBIGUOUS):
        assert after[text][0] > 0.3
        assert after[text][1] > 0.8 * after[text][0]


def test_more_rows_would_mend_the_slice_that_lacks_them_and_not_the_ambiguous_one(sample, import_maker):
    evaluated = sample.eval.assign(half=np.arange(len(sample.eval)) % 2)
    learned, asked = evaluated[evaluated["half"] == 0], evaluated[evaluated["half"] == 1]
    rows = pd.concat([sample.train, learned])
    model = import_maker("tickets_models").make_model().fit(rows["text"], rows["label"])
    wrong = model.predict(asked["text"]) != asked["label"]
    assert wrong[sample.slices[ROWS_MISSING](asked)].mean() < 0.15
    assert wrong[sample.slices[AMBIGUOUS](asked)].mean() > 0.3


def test_each_slice_is_written_as_relook_writes_it(sample):
    for text in sample.slices:
        assert parse_slice(text).to_text() == text


def test_the_three_slices_do_not_overlap(sample):
    assert sum(holds(sample.items).astype(int) for holds in sample.slices.values()).max() == 1


def test_the_answers_of_the_careless_person_do_not_depend_on_the_ticket(sample):
    own = sample.counted[(sample.counted["annotator"] == RANDOM)].dropna(subset="peers")
    table = pd.crosstab(own["peers"], own["label"], normalize="index")
    assert (table.max() - table.min()).max() < 0.15
    others = sample.counted[sample.counted["annotator"] != RANDOM].dropna(subset="peers")
    table = pd.crosstab(others["peers"], others["label"], normalize="index")
    assert (table.max() - table.min()).min() > 0.7


# --- the numbers in the README ----------------------------------------------------------------------------


def to_share(values):
    return f"{np.mean(values):.1%}" if np.size(values) else "–"


def compute_repeats(texts, endings):
    """Count the texts that are another ticket's with one sentence of a second message behind it."""
    known = set(texts)
    return sum(any(text.removesuffix(f" {end}") in known for end in endings if text.endswith(end)) for text in texts)


def compute_facts(sample, known):
    train, votes = sample.train, sample.votes
    truth = train["item_id"].map(known["truth"])
    gold = train["gold_label"].notna()
    ballots = np.sort(pd.crosstab(votes["item_id"], votes["label"]).to_numpy(), axis=1)
    train_errors = {
        number: (train["item_id"].map(frame.set_index("item_id")["predicted"]) != train["label"])
        for number, frame in sample.models.items()
    }
    return {
        "tickets": f"{len(sample.items):,}",
        "tickets in train": f"{len(train):,}",
        "tickets in eval": f"{len(sample.eval):,}",
        "classes": f"{sample.items['label'].nunique()}",
        "channels": f"{sample.items['channel'].nunique()}",
        "products": f"{sample.items['product'].nunique()}",
        "languages": f"{sample.items['language'].nunique()}",
        "tiers": f"{sample.items['tier'].nunique()}",
        "texts that an earlier ticket has word for word": f"{sample.items.sort_values('item_id')['text'].duplicated().sum()}",
        "texts that repeat another and ask for an answer": f"{compute_repeats(sample.items['text'], sample.endings)}",
        "votes": f"{len(votes):,}",
        "votes for each ticket of train": f"{len(votes) // len(train)}",
        "annotators": f"{votes['annotator'].nunique()}",
        "vendors": f"{votes['team'].nunique()}",
        "batches": f"{votes['batch'].nunique()}",
        "first day": f"{votes['labelled_at'].min():%Y-%m-%d}",
        "last day": f"{votes['labelled_at'].max():%Y-%m-%d}",
        "votes that are empty": f"{votes['label'].isna().sum()}",
        "votes that took over five hours": f"{(votes['seconds'] > 5 * 3600).sum()}",
        "median seconds of a vote": f"{votes['seconds'].median():.1f}",
        "tickets with tied votes": f"{(ballots[:, -1] == ballots[:, -2]).sum()}",
        "train labels that differ from what the ticket was written for": f"{(train['label'] != truth).sum()}",
        "the same as a share": to_share(train["label"] != truth),
        "tickets with a gold label": f"{gold.sum()}",
        "gold labels that differ from the recorded label": f"{(train['gold_label'] != train['label'])[gold].sum()}",
        "error of model-1 in eval": to_share(sample.errors[1]),
        "error of model-2 in eval": to_share(sample.errors[2]),
        "error of model-1 in train, out of fold, against the recorded label": to_share(train_errors[1]),
        "error of model-2 in train, out of fold, against the recorded label": to_share(train_errors[2]),
    }


def compute_planted(sample):
    counted, train = sample.counted.dropna(subset="peers"), sample.train
    differs = counted["label"].fillna("") != counted["peers"]
    who = counted["annotator"]
    bugs = counted["peers"] == "bug report"
    storage = (counted["peers"] == "billing") & (counted["product"] == "cloud storage")
    own = counted[who == RANDOM]
    said, heard = own["label"].value_counts(normalize=True), own["peers"].value_counts(normalize=True)
    batch = train["item_id"].map(sample.votes.groupby("item_id")["batch"].first()) == GONE_WRONG
    gold = train["gold_label"].notna()
    wrong = train["gold_label"] != train["label"]
    swapped = train[["gold_label", "label"]].isin(["refund", "delivery"]).all(axis=1)
    unlike = train["item_id"].map(sample.models[1].set_index("item_id")["predicted"]) != train["label"]
    split = train["item_id"].map(sample.votes.groupby("item_id")["label"].nunique(dropna=False)) > 1
    vague, mobile = sample.slices[AMBIGUOUS](train), sample.slices[LABELS_WRONG](train)
    return {
        "Tomasz Nowak: bug reports that he takes for account access": to_share(counted.loc[bugs & (who == CONFUSES), "label"] == "account access"),
        "the same for all others": to_share(counted.loc[bugs & (who != CONFUSES), "label"] == "account access"),
        "the seven: billing tickets about cloud storage that they take for refunds": to_share(counted.loc[storage & who.isin(SEVEN), "label"] == "refund"),
        "the same for the other eighteen": to_share(counted.loc[storage & ~who.isin(SEVEN), "label"] == "refund"),
        "billing tickets about other products that the seven take for refunds": to_share(
            counted.loc[(counted["peers"] == "billing") & ~storage & who.isin(SEVEN), "label"] == "refund"
        ),
        "Kenji Sato: differs from the other two in the first two hours of a sitting": to_share(differs[(who == TIRES) & ~counted["late"]]),
        "Kenji Sato: differs after two hours": to_share(differs[(who == TIRES) & counted["late"]]),
        "Kenji Sato: votes after two hours": f"{(sample.counted['late'] & (sample.counted['annotator'] == TIRES)).sum()}",
        "all others: differ after two hours": to_share(differs[(who != TIRES) & (who != RANDOM) & counted["late"]]),
        "all others: votes after two hours": f"{(sample.counted['late'] & (sample.counted['annotator'] != TIRES)).sum()}",
        "Marek Horvat: agrees with the other two": to_share(own["label"] == own["peers"]),
        "the agreement that chance would give him": to_share((said * heard).sum()),
        "Kim Ha-na: votes": f"{(sample.votes['annotator'] == NEW).sum()}",
        "week-5-northlight: gold labels": f"{(gold & batch).sum()}",
        "week-5-northlight: gold labels that differ from the recorded label": to_share(wrong[gold & batch]),
        "the same in all other batches": to_share(wrong[gold & ~batch]),
        "week-5-northlight: of those that differ, refund and delivery exchanged": f"{(gold & batch & wrong & swapped).sum()} of {(gold & batch & wrong).sum()}",
        "week-5-northlight: recorded labels that differ from what model-1 predicts": to_share(unlike[batch]),
        "recorded labels of all other batches that differ from it": to_share(unlike[~batch]),
        "German mobile plan: train labels that are refund": to_share(train.loc[mobile, "label"] == "refund"),
        "German mobile plan: gold labels": f"{(gold & mobile).sum()}",
        "German mobile plan: gold labels that differ from the recorded label": f"{(gold & mobile & wrong).sum()}",
        "chats about the speaker: tickets of train on which the three votes are not the same": to_share(split[vague]),
        "the same for all other tickets of train": to_share(split[~vague]),
    }  # fmt: skip


def compute_slices(sample, known):
    rows = {}
    for text, holds in sample.slices.items():
        inside, train = holds(sample.eval), sample.train[holds(sample.train)]
        cells = [f"{len(train)}", to_share(train["label"] != train["item_id"].map(known["truth"])), f"{inside.sum()}"]
        for number in (1, 2):
            errors = sample.errors[number]
            cells += [to_share(errors[inside]), to_share(errors[~inside])]
        rows[f"`{text}`"] = cells
    return rows


def compute_request(sample, known):
    answers, train = sample.answers, sample.train.set_index("item_id")
    texts = {}
    for item in sample.manifest["items"]:
        texts[item["relook_task"]] = sample.items.set_index("item_id").loc[item["item_id"], "text"]
    corrections = pd.Series(sample.corrections)
    changed = corrections[corrections != train.loc[corrections.index, "label"]]
    return {
        "tickets asked for": f"{sum(item['role'] == 'suspect' for item in sample.manifest['items'])}",
        "controls": f"{sum(item['role'] == 'control' for item in sample.manifest['items'])}",
        "people who answered": f"{answers['annotator'].nunique()}",
        "rows of the workbook": f"{len(answers)}",
        "rows that stand there twice": f"{answers.duplicated().sum()}",
        "labels typed with a space before them": f"{answers['new_label'].str.startswith(' ').sum()}",
        "texts that were edited": f"{(answers['text'] != answers['relook_task'].map(texts)).sum()}",
        "answers `Cannot decide`": f"{(answers['new_label'] == 'Cannot decide').sum()}",
        "tickets asked for on which both agree": f"{len(corrections)}",
        "labels that this changes": f"{len(changed)}",
        "of them to what the ticket was written for": f"{(changed == known.loc[changed.index, 'truth']).sum()}",
    }


def compute_people(sample):
    names = sample.people.set_index("annotator")["name"]
    rows = {}
    for annotator, own in sample.counted.groupby("annotator"):
        peers, gold = own.dropna(subset="peers"), own.dropna(subset="gold_label")
        rows[names[annotator]] = [
            f"`{annotator}`",
            f"{len(own):,}",
            f"{len(gold)}",
            to_share(gold["label"].fillna("") != gold["gold_label"]),
            to_share(peers["label"].fillna("") != peers["peers"]),
            f"{own['seconds'].median():.1f}",
            f"{own['labelled_at'].min():%Y-%m-%d}",
        ]
    return rows


def test_every_number_of_the_tickets_is_what_the_files_say(sample, known, readme, read_table):
    assert dict(read_table(readme, "what")) == compute_facts(sample, known)


def test_every_planted_habit_is_found_by_counting_in_the_files(sample, readme, read_table):
    assert dict(read_table(readme, "planted")) == compute_planted(sample)


def test_every_planted_slice_is_as_the_readme_says(sample, known, readme, read_table):
    assert {text: numbers for text, _why, *numbers in read_table(readme, "slice")} == compute_slices(sample, known)


def test_the_request_is_as_the_readme_says(sample, known, readme, read_table):
    assert dict(read_table(readme, "request")) == compute_request(sample, known)


def test_every_person_in_the_readme_is_as_the_votes_say(sample, readme, read_table):
    assert {name: numbers for name, _habit, *numbers in read_table(readme, "person")} == compute_people(sample)


def test_the_readme_names_the_planted_habit_of_each_person(import_maker, readme, read_table):
    people = import_maker("tickets_people")
    expected = {
        person.name: person.habit + (", started late" if person.first_batch > 1 else "") for person in people.PANEL
    }
    assert {row[0]: row[1] for row in read_table(readme, "person")} == expected


def test_the_seven_are_those_who_were_told_the_same(import_maker):
    people = import_maker("tickets_people")
    assert {person.annotator for person in people.PANEL if person.habit == people.CHARGED_TWICE} == SEVEN


def test_the_readme_says_what_retraining_with_true_labels_does(sample, retrained, readme, read_table):
    told = {
        text: [float(cell.rstrip("%")) / 100 for cell in cells]
        for text, *cells in read_table(readme, "slice, retrained")
    }
    assert told.keys() == {f"`{text}`" for text in sample.slices}
    for text, holds in sample.slices.items():
        inside = holds(sample.eval)
        found = [retrained[inside].mean(), retrained[~inside].mean()]
        # A fit of another version of the library may take another side on a ticket or two.
        np.testing.assert_allclose(told[f"`{text}`"], found, rtol=0, atol=0.02)


def test_the_readme_lists_the_columns_in_their_order(readme, read_table, sample):
    listed = {file.strip("`"): re.findall(r"`([^`]+)`", columns) for file, columns in read_table(readme, "file")}
    assert listed == {
        "train.parquet": list(sample.train.columns),
        "eval.parquet": list(sample.eval.columns),
        "votes.parquet": list(sample.votes.columns),
        "people.csv": list(sample.people.columns),
        "predictions-model-1.parquet": list(sample.models[1].columns),
        "predictions-model-2.parquet": list(sample.models[2].columns),
        "request/answers.xlsx": list(sample.answers.columns),
    }


def test_outside_its_tables_the_readme_gives_no_number(readme):
    prose = "\n".join(line for line in readme.splitlines() if not line.startswith("|"))
    prose = re.sub(r"model-[12]|rq-2026-03-09-a|week-5-northlight", "", prose)
    assert re.findall(r"\d+", prose) == []

"""What annotators answer, and when: three people vote on every ticket of train."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from making.tickets_items import NEIGHBOURS, VAGUE_BETWEEN
from making.tickets_people import BRIGHTDESK, CHARGED_TWICE, CONFUSES, NORTHLIGHT, PANEL, RANDOM, TIRES, Person, Vendor
from making.tickets_text import BOTH, CLASSES, TWICE, VAGUE, WITHDRAWAL

FIRST_DAY = datetime(2026, 1, 12, tzinfo=UTC)  # a Monday
WEEKS = 8
VOTES_PER_ITEM = 3

CANNOT_TELL = None
# A careful person's chances, beside the person's own rate of errors.
CANNOT_TELL_RATE = 0.004
ASIDE_TAKEN = 0.05  # that an aside is taken for the topic
SECOND_TAKEN = 0.28  # the same for a second problem of the same weight
VAGUE_CANNOT_TELL = 0.06
WITHDRAWAL_AS_REFUND = 0.92  # everybody: the customer asks for money back, and the guideline does not say

# Planted habits.
BUG_AS_ACCESS = 0.70
TWICE_AS_REFUND = 0.88
RANDOM_SHARES = (0.30, 0.22, 0.18, 0.12, 0.12, 0.06)
TIRED_AFTER = timedelta(hours=2).total_seconds()
TIRED_ERROR = 0.42

# Planted: in this batch the keys of refund and delivery were swapped in the vendor's tool.
SWAPPED_BATCH = 9
SWAPPED = {"refund": "delivery", "delivery": "refund"}
SWAPPED_SHARE = 0.90

# Time.
SITTING_MINUTES = (75, 200)
LONG_SITTING_MINUTES = 230  # of the one who changes late
BREAK_EVERY = 45  # votes, about
LEFT_OPEN = 14  # last votes of a sitting that were submitted hours later
LEFT_OPEN_SECONDS = (5.5 * 3600, 6.5 * 3600)


class Seen(NamedTuple):
    """A ticket before a person; ``tired``: after two hours of the sitting."""

    truth: str
    theme: str
    second: str
    tired: bool


@dataclass(frozen=True)
class Batch:
    """A delivery of items to one vendor: the two vendors take turns, one batch each a week."""

    number: int
    items: np.ndarray

    @property
    def name(self) -> str:
        """As the votes file has it."""
        return f"week-{(self.number + 1) // 2}-{self.vendor.name.lower()}"

    @property
    def vendor(self) -> Vendor:
        """Who works on it."""
        return NORTHLIGHT if self.number % 2 else BRIGHTDESK

    @property
    def monday(self) -> datetime:
        """The first day of its week."""
        return FIRST_DAY + timedelta(weeks=(self.number - 1) // 2)


def simulate_votes(train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate all votes.

    Parameters
    ----------
    train
        The tickets of train with what only their author knows; index 0, 1, ...
    rng
        The only source of randomness.

    Returns
    -------
    DataFrame
        In the order in which the votes came in: ``item_id, annotator, team, label`` (None: cannot tell),
        ``started_at, labelled_at`` (UTC, to the second), ``seconds`` (to the tenth), ``batch``.
    """
    parts = np.array_split(rng.permutation(len(train)), 2 * WEEKS)
    train = train[["item_id", "length", "truth", "theme", "second"]].astype(object)
    sittings = []
    for number, items in enumerate(parts, start=1):
        batch = Batch(number, items)
        people = [person for person in PANEL if person.vendor is batch.vendor and person.first_batch <= number]
        weights = np.array([person.weight for person in people])
        # The largest of weighted Gumbel draws are a weighted sample without replacement.
        keys = np.log(weights) + rng.gumbel(size=(len(items), len(people)))
        picked = np.argsort(-keys, axis=1)[:, :VOTES_PER_ITEM]
        for place, person in enumerate(people):
            queue = rng.permutation(items[(picked == place).any(axis=1)])
            sittings += simulate_person(person, batch, train.iloc[queue], rng)
    leave_open(sittings, rng)
    votes = pd.concat(sittings).sort_values(["labelled_at", "annotator"], kind="stable", ignore_index=True)
    times = {name: pd.to_datetime(votes[name], unit="s", utc=True) for name in ("started_at", "labelled_at")}
    return votes.assign(**times)


def simulate_person(person: Person, batch: Batch, items: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Simulate one person's part of a batch: sittings in the mornings and afternoons of the vendor's days."""
    sittings: list[pd.DataFrame] = []
    free_from, done, slot = 0.0, 0, 0
    while done < len(items):
        minutes = LONG_SITTING_MINUTES if person.habit == TIRES else rng.uniform(*SITTING_MINUTES)
        count = max(1, round(minutes * 60 / (1.25 * person.seconds + 4)))
        day, afternoon = divmod(slot, 2)
        # Two days are enough for nearly everybody; who is late takes the next one.
        local = batch.monday + timedelta(days=batch.vendor.days[0] + day, hours=13 if afternoon else 8.5)
        local += timedelta(minutes=float(rng.uniform(0, 60)))
        start = max((local - timedelta(hours=batch.vendor.hours_ahead)).timestamp(), free_from)
        sitting = simulate_sitting(person, batch, items.iloc[done : done + count], start, rng)
        # Between two sittings lie at least three quarters of an hour: lunch.
        free_from = float(sitting["labelled_at"].iloc[-1]) + 45 * 60
        sittings.append(sitting)
        done, slot = done + count, slot + 1
    return sittings


def simulate_sitting(
    person: Person, batch: Batch, items: pd.DataFrame, start: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate one sitting: items in the order given, short breaks between, times in seconds since 1970."""
    count = len(items)
    seconds = rng.lognormal(np.log(person.seconds), 0.42, count)
    if person.habit != RANDOM:
        seconds *= (items["length"].to_numpy(dtype=float) / 160) ** 0.5
    seconds = np.round(np.maximum(seconds, 1.5), 1)
    pauses = rng.lognormal(np.log(2.5), 0.5, count)
    breaks = rng.random(count) < 1 / BREAK_EVERY
    pauses += np.where(breaks, rng.uniform(4 * 60, 11 * 60, count), 0)
    ends = np.cumsum(pauses + seconds)
    answers = [
        answer(person, batch.number, Seen(*row, tired=elapsed > TIRED_AFTER), rng)
        for *row, elapsed in zip(items["truth"], items["theme"], items["second"], ends, strict=True)
    ]
    return pd.DataFrame(
        {
            "item_id": items["item_id"].to_numpy(),
            "annotator": person.annotator,
            "team": person.vendor.name,
            "label": pd.Series(answers, dtype=object),
            "started_at": np.round(start + ends - seconds).astype(np.int64),
            "labelled_at": np.round(start + ends).astype(np.int64),
            "seconds": seconds,
            "batch": batch.name,
        }
    )


def leave_open(sittings: list[pd.DataFrame], rng: np.random.Generator) -> None:
    """Let some people leave their last ticket of the day open and submit it hours later; in place."""
    last_of_day = {}
    for place, sitting in enumerate(sittings):
        last_of_day[sitting["annotator"].iloc[0], sitting["labelled_at"].iloc[-1] // 86_400] = place
    for place in rng.permutation(sorted(last_of_day.values()))[:LEFT_OPEN]:
        sitting = sittings[place]
        last = sitting.index[-1]
        sitting.loc[last, "seconds"] = round(float(rng.uniform(*LEFT_OPEN_SECONDS)), 1)
        sitting.loc[last, "labelled_at"] = round(sitting.loc[last, "started_at"] + sitting.loc[last, "seconds"])


def answer(person: Person, batch: int, seen: Seen, rng: np.random.Generator) -> str | None:
    """Draw one answer of one person to one ticket; None: cannot tell."""
    if person.habit == RANDOM:
        return str(rng.choice(CLASSES, p=RANDOM_SHARES))
    said = read(person, seen, rng)
    if batch == SWAPPED_BATCH and said in SWAPPED and rng.random() < SWAPPED_SHARE:
        return SWAPPED[said]
    return said


def read(person: Person, seen: Seen, rng: np.random.Generator) -> str | None:
    """Draw what a person who reads the ticket takes it for."""
    if seen.theme == VAGUE:
        return CANNOT_TELL if rng.random() < VAGUE_CANNOT_TELL else VAGUE_BETWEEN[int(rng.integers(2))]
    for label, share in find_traps(person, seen):
        if rng.random() < share:
            return label
    if rng.random() < CANNOT_TELL_RATE:
        return CANNOT_TELL
    if rng.random() < person.error:
        near = NEIGHBOURS[seen.truth]
        return str(rng.choice(list(near), p=list(near.values())))
    return seen.truth


def find_traps(person: Person, seen: Seen) -> Iterator[tuple[str, float]]:
    """Yield what the person may take the ticket for instead, and how often."""
    if seen.tired and person.habit == TIRES:
        others = [label for label in CLASSES if label != seen.truth]
        yield from ((label, TIRED_ERROR / len(others)) for label in others)
    if seen.theme == WITHDRAWAL:
        yield "refund", WITHDRAWAL_AS_REFUND
    if seen.theme == TWICE and person.habit == CHARGED_TWICE:
        yield "refund", TWICE_AS_REFUND
    if seen.truth == "bug report" and person.habit == CONFUSES:
        yield "account access", BUG_AS_ACCESS
    if seen.second:
        yield seen.second, SECOND_TAKEN if seen.theme == BOTH else ASIDE_TAKEN


def to_recorded_labels(votes: pd.DataFrame) -> pd.Series:
    """Take the majority of the votes on each item, as this team recorded it.

    The first vote decides a tie. That is this team's habit: relook itself leaves a tie open.

    Parameters
    ----------
    votes
        ``item_id`` and ``label``, in the order in which the votes came in; None is not counted.

    Returns
    -------
    Series
        The label, indexed by item. An item on which nobody could tell is not in it.

    Examples
    --------
    >>> votes = pd.DataFrame({"item_id": ["a", "a", "a"], "label": [None, "refund", "billing"]})
    >>> to_recorded_labels(votes).to_dict()
    {'a': 'refund'}
    """
    cast = votes.dropna(subset="label")
    return cast.groupby("item_id")["label"].agg(take_majority)


def take_majority(labels: Sequence[str]) -> str:
    """Return the most frequent label, of several the first."""
    # most_common orders equal counts by who came first.
    return Counter(labels).most_common(1)[0][0]

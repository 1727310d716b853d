"""Which tickets there are: channel, product, language, tier and class of each, and what is planted among them.

Three slices of eval fail, each for another reason, and they do not overlap:

- German tickets about the mobile plan: most are withdrawals, which annotators take for refunds;
- Italian tickets: the market is new, so train has hardly any;
- chats about the speaker: most are so vague that nobody can tell what they are about.
"""

import numpy as np
import pandas as pd

from making.tickets_text import (
    BOTH,
    CHANNELS,
    CLASSES,
    GOODS,
    LANGUAGES,
    PLAIN,
    PRODUCTS,
    TWICE,
    VAGUE,
    WITHDRAWAL,
    Ticket,
    choose_new_sentences,
    compose_text,
    load_phrases,
    pick,
)

SIZES = {"train": 8400, "eval": 3600}
GOLD_PER_BATCH = 25

CHANNEL_SHARES = (0.30, 0.22, 0.20, 0.16, 0.12)
LANGUAGE_SHARES = (0.48, 0.20, 0.15, 0.17, 0.0)  # Italian is planted, with exact numbers
PRODUCT_SHARES = (0.15, 0.13, 0.11, 0.13, 0.12, 0.14, 0.10, 0.12)
TIERS = {"basic": 0.55, "plus": 0.30, "business": 0.15}
GOODS_SHARES = (0.13, 0.18, 0.25, 0.12, 0.24, 0.08)
SERVICE_SHARES = (0.29, 0.15, 0.0, 0.19, 0.17, 0.20)

ASIDES = 0.10
TWO_TOPICS = 0.11
# What customers mention beside their topic: mostly what lies near it.
NEIGHBOURS = {
    "billing": {"refund": 0.5, "cancellation": 0.3, "account access": 0.2},
    "refund": {"billing": 0.4, "delivery": 0.4, "cancellation": 0.2},
    "delivery": {"refund": 0.6, "bug report": 0.4},
    "account access": {"bug report": 0.7, "cancellation": 0.3},
    "bug report": {"account access": 0.6, "delivery": 0.4},
    "cancellation": {"billing": 0.5, "refund": 0.3, "account access": 0.2},
}

# Planted slices: how many items of each split.
GERMAN_MOBILE = {"train": 180, "eval": 150}
WITHDRAWALS = 0.70  # the share of them that are withdrawals
ITALIAN = {"train": 15, "eval": 290}
SPEAKER_CHATS = {"train": 336, "eval": 150}
VAGUE_CHATS = 0.80
VAGUE_BETWEEN = ("delivery", "bug report")

# Planted: most billing tickets about the cloud storage are about being charged twice.
CHARGED_TWICE = 0.90

# Planted duplicates: how many tickets, over both splits, repeat an earlier one.
SLICED_BY = ("channel", "product", "language")
REPEATED_LENGTH = 200  # and more characters: one sentence behind them changes little
FOLLOW_UPS = 100
SENT_TWICE = 20


def make_items(rng: np.random.Generator) -> pd.DataFrame:
    """Make all tickets with their texts and with what only their author knows.

    Parameters
    ----------
    rng
        The only source of randomness.

    Returns
    -------
    DataFrame
        One row a ticket in the order of its id: ``item_id, text, channel, product, language, length, tier``, which
        is what everybody sees, ``split``, and, only for making votes, ``truth``, ``theme`` and ``second`` (as in
        :class:`making.tickets_text.Ticket`). ``length`` is the number of characters.
    """
    items = pd.concat([draw_items(split, size, rng) for split, size in SIZES.items()], ignore_index=True)
    items = items.iloc[rng.permutation(len(items))].reset_index(drop=True)
    items.insert(0, "item_id", [f"TK-{100_000 + 7 * place}" for place in range(len(items))])
    banks = load_phrases()
    columns = ["truth", "theme", "second", "channel", "product", "language"]
    used: set[tuple[str, str, frozenset[str]]] = set()
    texts = []
    for row in items[columns].itertuples(index=False, name=None):
        ticket, bank = Ticket(*row), banks[row[-1]]
        texts.append(compose_text(ticket, bank, choose_new_sentences(ticket, bank, used, rng), rng))
    items["text"] = texts
    repeat_tickets(items, banks, rng)
    items["length"] = items["text"].str.len()
    return items


def draw_items(split: str, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw what the tickets of one split are, texts excepted."""
    channel = rng.choice(CHANNELS, size, p=CHANNEL_SHARES).astype(object)
    language = rng.choice(LANGUAGES, size, p=LANGUAGE_SHARES).astype(object)
    product = rng.choice(list(PRODUCTS), size, p=PRODUCT_SHARES).astype(object)
    # The planted slices get exact numbers, so chance may not add to them.
    product[(language == "de") & (product == "mobile plan")] = "music"
    product[(channel == "chat") & (product == "speaker")] = "router"
    counts = (GERMAN_MOBILE[split], ITALIAN[split], SPEAKER_CHATS[split])
    german, italian, chats = np.split(rng.permutation(size)[: sum(counts)], np.cumsum(counts)[:-1])
    language[german], product[german] = "de", "mobile plan"
    language[italian] = "it"
    moved = italian[(channel[italian] == "chat") & (product[italian] == "speaker")]
    product[moved] = "router"
    channel[chats], product[chats] = "chat", "speaker"

    truth = draw_classes(product, rng)
    theme = np.full(size, PLAIN, dtype=object)
    theme[(truth == "billing") & (product == "cloud storage") & (rng.random(size) < CHARGED_TWICE)] = TWICE
    withdrawn = rng.permutation(german)[: round(WITHDRAWALS * len(german))]
    theme[withdrawn], truth[withdrawn] = WITHDRAWAL, "cancellation"
    vague = rng.permutation(chats)[: round(VAGUE_CHATS * len(chats))]
    theme[vague], truth[vague] = VAGUE, rng.choice(VAGUE_BETWEEN, len(vague))
    draws = rng.random(size)
    theme[(theme == PLAIN) & (draws < TWO_TOPICS)] = BOTH
    has_second = (theme == BOTH) | ((theme == PLAIN) & (draws > 1 - ASIDES))
    return pd.DataFrame(
        {
            "text": "",
            "channel": channel,
            "product": product,
            "language": language,
            "length": 0,
            "tier": rng.choice(list(TIERS), size, p=list(TIERS.values())),
            "split": split,
            "truth": truth,
            "theme": theme,
            "second": draw_second_topics(truth, has_second, product, rng),
        }
    )


def draw_classes(product: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the class of each ticket; nobody delivers a service."""
    goods = rng.choice(CLASSES, len(product), p=GOODS_SHARES)
    service = rng.choice(CLASSES, len(product), p=SERVICE_SHARES)
    return np.where(np.isin(product, list(GOODS)), goods, service).astype(object)


def draw_second_topics(
    truth: np.ndarray, has_second: np.ndarray, product: np.ndarray, rng: np.random.Generator
) -> list[str]:
    """Draw what the tickets also mention; "" where they have one topic. Nobody delivers a service."""
    found = []
    for label, name, drawn in zip(truth, product, has_second, strict=True):
        near = {other: share for other, share in NEIGHBOURS[label].items() if other != "delivery" or name in GOODS}
        shares = np.array(list(near.values()))
        found.append(str(rng.choice(list(near), p=shares / shares.sum())) if drawn else "")
    return found


def repeat_tickets(items: pd.DataFrame, banks: dict[str, dict[str, list[str]]], rng: np.random.Generator) -> None:
    """Turn some tickets into repetitions of earlier ones: word for word, or with one sentence behind; in place."""
    plain = np.flatnonzero((items["theme"] == PLAIN) & (items["text"].str.len() >= REPEATED_LENGTH))
    chosen = np.sort(rng.permutation(plain)[: 2 * (FOLLOW_UPS + SENT_TWICE)]).reshape(-1, 2)
    follows = rng.permutation(len(chosen)) < FOLLOW_UPS
    cells = {name: items[name].tolist() for name in (*SLICED_BY, "text", "tier", "truth", "second")}
    for (first, later), more in zip(chosen.tolist(), follows.tolist(), strict=True):
        # A repetition must not carry a ticket into a planted slice, or out of one.
        if any(is_planted(*(cells[name][place] for name in SLICED_BY)) for place in (first, later)):
            continue
        for column in cells.values():
            column[later] = column[first]
        if more:
            cells["text"][later] += " " + pick(banks[cells["language"][later]]["follow_up"], rng)
    for name, column in cells.items():
        items[name] = column


def is_planted(channel: str, product: str, language: str) -> bool:
    """Tell whether a ticket lies in one of the three planted slices."""
    return language == "it" or (language, product) == ("de", "mobile plan") or (channel, product) == ("chat", "speaker")


def choose_gold(items: pd.DataFrame, batches: pd.Series, rng: np.random.Generator) -> pd.Series:
    """Choose the tickets that experts checked: as many of each batch.

    Parameters
    ----------
    items
        All tickets.
    batches
        The batch of each ticket of train, indexed by its id.
    rng
        The only source of randomness.

    Returns
    -------
    Series
        The class that a chosen ticket was written for; None for all others.
    """
    shuffled = batches.iloc[rng.permutation(len(batches))]
    chosen = shuffled[shuffled.groupby(shuffled).cumcount() < GOLD_PER_BATCH].index
    return items["truth"].where(items["item_id"].isin(chosen), None)

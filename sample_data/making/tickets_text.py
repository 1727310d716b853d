"""The words of the tickets: sentences from the phrase banks, put together as each channel has them.

Every sentence stands in ``phrases/LANGUAGE.toml``. Which sentences a ticket gets follows from what it is about
(its class, or one of the themes that are planted) and from nothing that annotators or models do later.
"""

import tomllib
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("billing", "refund", "delivery", "account access", "bug report", "cancellation")
LANGUAGES = ("en", "de", "fr", "es", "it")
CHANNELS = ("email", "chat", "web form", "app", "phone")

# What the columns call a product, and what customers call it. A brand needs no article in any language.
PRODUCTS = {
    "router": "FluxLink",
    "camera": "HomeCam",
    "thermostat": "Thermo One",
    "speaker": "SoundPod",
    "tv box": "StreamBox",
    "cloud storage": "CloudBox",
    "mobile plan": "Flux Mobile",
    "music": "Tune Plus",
}
GOODS = frozenset({"router", "camera", "thermostat", "speaker", "tv box"})

# Themes: what a ticket is about where its class alone does not say it.
PLAIN = "plain"
BOTH = "both"  # two problems of the same weight: who reads it may take the second for the topic
TWICE = "twice"  # charged twice: a billing ticket that asks for money back
WITHDRAWAL = "withdrawal"  # German law's way out of a new contract: a cancellation that asks for money back
VAGUE = "vague"  # the text does not tell a late parcel from a dead device

# How often a channel has each part of a message.
CONTEXT = {"email": 0.65, "chat": 0.4, "web form": 0.4, "app": 0.3, "phone": 0.5}
DETAILS = {"email": (0.2, 0.5, 0.3), "chat": (0.3, 0.5, 0.2), "web form": (0.25, 0.5, 0.25), "app": (0.35, 0.5, 0.15)}
DETAILS |= {"phone": (0.2, 0.5, 0.3)}
ASK = {"email": 0.85, "chat": 0.55, "web form": 0.75, "app": 0.45, "phone": 0.7}
CENTS = (0, 49, 50, 90, 95, 99)
FILLER = 0.45  # how often somebody on the phone begins a sentence with one
VAGUE_CONTEXT = 0.7
TRIES = 60  # at sentences that no other ticket has together
TOPIC_FIRST = 0.65  # how often the topic comes before the second problem


@dataclass(frozen=True)
class Ticket:
    """What a text is to say.

    Attributes
    ----------
    label
        The class that it was written for.
    theme
        ``PLAIN``, or one of the planted themes, which replaces the class's own sentences.
    second
        The class of a second topic, or "": an aside, or in ``BOTH`` a problem of the same weight.
    """

    label: str
    theme: str
    second: str
    channel: str
    product: str
    language: str


def load_phrases() -> dict[str, dict[str, Any]]:
    """Load the phrase bank of every language."""
    folder = Path(__file__).parent / "phrases"
    return {name: tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")) for name in LANGUAGES}


def compose_text(ticket: Ticket, bank: dict[str, Any], said: list[str], rng: np.random.Generator) -> str:
    """Write one ticket.

    Parameters
    ----------
    ticket
        What it is to say.
    bank
        The phrases of its language.
    said
        Its sentences, slots still open; see :func:`choose_sentences`.
    rng
        The only source of randomness.

    Returns
    -------
    str
        E-mails have lines, with a greeting and a name; all else is one line.
    """
    slots = draw_slots(ticket, bank, rng)
    sentences = [sentence.format(**slots) for sentence in said]
    if ticket.channel == "email":
        greeting, closing, name = (pick(bank[part], rng) for part in ("greetings", "closings", "names"))
        return f"{greeting}\n{' '.join(sentences)}\n{closing}\n{name}"
    if ticket.channel == "phone":
        spoken = [lower_first(sentence) for sentence in sentences]
        spoken = [f"{pick(bank['fillers'], rng)}, {text}" if rng.random() < FILLER else text for text in spoken]
        return " ".join([pick(bank["phone"], rng).format(**slots), *spoken])
    if ticket.channel == "chat":
        sentences[0] = lower_first(sentences[0])
    return " ".join(sentences)


def choose_new_sentences(
    ticket: Ticket, bank: dict[str, Any], used: set[tuple[str, str, frozenset[str]]], rng: np.random.Generator
) -> list[str]:
    """Choose sentences that no ticket about the product has together, so that few tickets are alike by chance.

    What customers say of themselves does not make a ticket new, unless it is too vague to be new otherwise. After
    some tries an old choice is taken.
    """
    said: list[str] = []
    for _again in range(TRIES):
        said = choose_sentences(ticket, bank, rng)
        told = said if ticket.theme == VAGUE else [sentence for sentence in said if sentence not in bank["context"]]
        key = (ticket.product, ticket.language, frozenset(told))
        if key not in used:
            used.add(key)
            break
    return said


def choose_sentences(ticket: Ticket, bank: dict[str, Any], rng: np.random.Generator) -> list[str]:
    """Choose the sentences of a ticket, slots still open."""
    if ticket.theme == VAGUE:
        around = [pick(bank["context"], rng)] if rng.random() < VAGUE_CONTEXT else []
        return [pick(bank["vague"], rng), *around, pick(bank["vague_ask"], rng)]
    topic = bank[ticket.theme if ticket.theme in bank else ticket.label]
    problems = topic["problem"] + (topic.get("problem_goods", []) if ticket.product in GOODS else [])
    said = [pick(problems, rng)]
    if ticket.theme == BOTH:
        other = bank[ticket.second]
        said.insert(int(rng.random() < TOPIC_FIRST), pick(other["problem"], rng))
        return [*said, pick([*topic["ask"], *other["ask"]], rng)]
    shares = DETAILS[ticket.channel]
    count = min(bisect(list(accumulate(shares[:-1])), rng.random()), len(topic["detail"]))
    said += [topic["detail"][place] for place in rng.permutation(len(topic["detail"]))[:count]]
    if rng.random() < ASK[ticket.channel]:
        said.append(pick(topic["ask"], rng))
    if ticket.second:
        said.append(pick(bank[ticket.second]["aside"], rng))
    if rng.random() < CONTEXT[ticket.channel]:
        # On the phone the product has been named already.
        context = [told for told in bank["context"] if ticket.channel != "phone" or "{product}" not in told]
        said.insert(int(rng.integers(2)), pick(context, rng))
    return said


def draw_slots(ticket: Ticket, bank: dict[str, Any], rng: np.random.Generator) -> dict[str, str]:
    """Draw the facts of one ticket: each stays the same through its text."""
    draws = iter(rng.random(11).tolist())
    month = at(bank["months"][:3] + bank["months"][9:], next(draws))
    return {
        "product": PRODUCTS[ticket.product],
        "order": str(at(range(1_000_000, 9_999_999), next(draws))),
        "amount": bank["amount"].format(whole=at(range(3, 240), next(draws)), cents=at(CENTS, next(draws))),
        "date": bank["date"].format(day=at(range(2, 29), next(draws)), month=month),
        "price": bank["amount"].format(whole=at(range(4, 60), next(draws)), cents=99),
        "days": str(at(range(8, 30), next(draws))),
        "few": str(at(range(3, 8), next(draws))),
        "month": month,
        "code": f"{at('ABCEFKMX', next(draws))}{at(range(10, 990), next(draws))}",
        "city": at(bank["cities"], next(draws)),
    }


def at(options: Sequence[Any], draw: float) -> Any:  # noqa: ANN401 - whatever the options are
    """Return the option that a draw between 0 and 1 falls on.

    Examples
    --------
    >>> at("abcd", 0.0), at("abcd", 0.51)
    ('a', 'c')
    """
    return options[int(draw * len(options))]


def pick(options: list[str], rng: np.random.Generator) -> str:
    """Draw one."""
    return str(at(options, rng.random()))


def lower_first(sentence: str) -> str:
    """Begin a sentence small, as people type and transcripts are written; names and codes keep their capitals.

    Examples
    --------
    >>> lower_first("Where is it?"), lower_first("Thermo One is late."), lower_first("I am late.")
    ('where is it?', 'Thermo One is late.', 'I am late.')
    """
    if sentence.startswith(tuple(PRODUCTS.values())):
        return sentence
    first = sentence.split(" ", 1)[0].strip(".,:")
    if first == "I" or any(letter.isupper() or letter.isdigit() for letter in first[1:]):
        return sentence
    return sentence[0].lower() + sentence[1:]

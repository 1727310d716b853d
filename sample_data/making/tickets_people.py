"""Who labels: two vendors, twenty-five people, and the habits that are planted."""

from dataclasses import dataclass

CAREFUL = "careful"
CONFUSES = "takes bug reports for account access"
CHARGED_TWICE = "takes double charges for refunds"
TIRES = "changes late in the session"
RANDOM = "answers without reading"


@dataclass(frozen=True)
class Vendor:
    """A company that labels.

    Attributes
    ----------
    days
        Its days of the week, Monday is 0: the two vendors alternate.
    hours_ahead
        Of UTC; constant over the weeks of the sample.
    """

    name: str
    days: tuple[int, ...]
    time_zone: str
    hours_ahead: int


@dataclass(frozen=True)
class Person:
    """One simulated annotator.

    Attributes
    ----------
    annotator
        As the votes file names the person: Northlight's tool exports e-mail addresses, Brightdesk's its own ids.
    seconds
        The median for one ticket of middling length.
    error
        How often a plain ticket gets a wrong answer.
    weight
        How often picked, against the others.
    first_batch
        The first batch that the person works on, from 1.
    """

    annotator: str
    name: str
    email: str
    vendor: Vendor
    seconds: float
    error: float
    habit: str = CAREFUL
    weight: float = 1.0
    first_batch: int = 1


NORTHLIGHT = Vendor("Northlight", days=(0, 1), time_zone="Europe/Lisbon", hours_ahead=0)
BRIGHTDESK = Vendor("Brightdesk", days=(2, 3), time_zone="Asia/Manila", hours_ahead=8)


def _northlight(name: str, address: str, seconds: float, error: float, habit: str = CAREFUL) -> Person:
    email = f"{address}@northlight.example"
    return Person(email, name, email, NORTHLIGHT, seconds, error, habit)


def _brightdesk(
    number: int,
    name: str,
    address: str,
    seconds: float,
    error: float,
    habit: str = CAREFUL,
    *,
    weight: float = 1.0,
    first_batch: int = 1,
) -> Person:
    email = f"{address}@brightdesk.example"
    return Person(f"bd-{number}", name, email, BRIGHTDESK, seconds, error, habit, weight, first_batch)


PANEL = (
    _northlight("Amina Öztürk", "amina.ozturk", 31, 0.030),
    _northlight("Diogo Ferreira", "diogo.ferreira", 27, 0.045, CHARGED_TWICE),
    _northlight("Chiara Bianchi", "chiara.bianchi", 36, 0.035, CHARGED_TWICE),
    _northlight("Tomasz Nowak", "tomasz.nowak", 29, 0.040, CONFUSES),
    _northlight("Ngozi Okafor", "ngozi.okafor", 40, 0.025, CHARGED_TWICE),
    _northlight("Pierre Lambert", "pierre.lambert", 33, 0.050),
    _northlight("Sofia Andersson", "sofia.andersson", 44, 0.020),
    _northlight("Mehmet Kaya", "mehmet.kaya", 25, 0.055),
    _northlight("Inês Carvalho", "ines.carvalho", 30, 0.035),
    _northlight("Jakub Dvořák", "jakub.dvorak", 52, 0.030),
    _northlight("Leila Haddad", "leila.haddad", 34, 0.040),
    _northlight("Marek Horvat", "marek.horvat", 6, 0.040, RANDOM),
    _northlight("Elena Popescu", "elena.popescu", 28, 0.045, CHARGED_TWICE),
    _brightdesk(101, "Maria Santos", "maria.santos", 29, 0.035),
    _brightdesk(102, "Jun Reyes", "jun.reyes", 24, 0.050),
    _brightdesk(103, "Priya Nair", "priya.nair", 35, 0.030, CHARGED_TWICE),
    _brightdesk(104, "Chen Wei", "chen.wei", 50, 0.025, CHARGED_TWICE),
    _brightdesk(105, "Nguyễn Thị Lan", "lan.nguyen", 32, 0.040),
    _brightdesk(106, "Arjun Mehta", "arjun.mehta", 38, 0.030),
    _brightdesk(107, "Grace Lim", "grace.lim", 27, 0.045),
    _brightdesk(108, "Kenji Sato", "kenji.sato", 42, 0.035, TIRES, weight=2.2),
    _brightdesk(109, "Siti Rahmawati", "siti.rahmawati", 31, 0.050),
    _brightdesk(110, "Carlo Mendoza", "carlo.mendoza", 28, 0.040, CHARGED_TWICE),
    _brightdesk(111, "Kim Ha-na", "hana.kim", 46, 0.030, weight=0.5, first_batch=16),
    _brightdesk(112, "Rosa dela Cruz", "rosa.delacruz", 34, 0.035),
)

"""Which column is what: guessed from names and values, each guess with its reason, corrected by the user.

A *role* says what relook does with a column. Everything without a role is a *feature*: it can slice. The
guess looks at names first (how people name such columns) and then at values (a column of probabilities that is
not between 0 and 1 is none). Names that mean something only beside others, such as a vendor beside annotators,
need that company. ``--role ROLE=COLUMN`` overrides any guess.
"""

from analysis.roles.facts import ColumnFacts, ColumnType
from analysis.roles.guess import ROLES, ROW_NUMBER, RoleGuess, Roles, guess_roles
from analysis.roles.kinds import Kind, guess_kind, guess_split

__all__ = [
    "ROLES",
    "ROW_NUMBER",
    "ColumnFacts",
    "ColumnType",
    "Kind",
    "RoleGuess",
    "Roles",
    "guess_kind",
    "guess_roles",
    "guess_split",
]

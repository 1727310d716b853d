"""Texts of users on a page: a label may hold ``*``, ``$`` or ``[x](y)``, and is shown as it is."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["drop_emphasis", "escape_markdown", "to_code"]

_MARKS: Final = re.compile(r"([\\`*_\[\]<>#|~$&:])")
_BLOCK_MARK: Final = re.compile(r"^(\d*)([-+.)=])")
_SHORTCODE: Final = re.compile(r":(?=[\w/+-]+:)")
_WORD_JOINER: Final = "\u2060"


def escape_markdown(text: str) -> str:
    r"""Return Markdown that shows a text as it is.

    Marks that Markdown reads get a backslash (CommonMark 0.31, section 2.4), those of lists and headings only where a
    line begins. Streamlit turns ``:name:`` into icons after Markdown is read, when backslashes are gone, so an
    invisible character parts the colon from the name.

    Examples
    --------
    >>> escape_markdown("*8* costs $5")
    '\\*8\\* costs \\$5'
    """
    # Line ends would end the paragraph, or make a heading of what stands above them.
    line = _SHORTCODE.sub(f":{_WORD_JOINER}", " ".join(text.split()))
    return _BLOCK_MARK.sub(r"\1\\\2", _MARKS.sub(r"\\\1", line))


def to_code(text: str) -> str:
    """Return a text as a piece of code in Markdown, fenced by more backticks than it holds in a row.

    Examples
    --------
    >>> to_code("<=50K"), to_code("a`b"), to_code("")
    ('`<=50K`', '`` a`b ``', '–')
    """
    shown = " ".join(text.split())
    if not shown:
        return "–"
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    return f"`{shown}`" if not longest else f"{'`' * (longest + 1)} {shown} {'`' * (longest + 1)}"


def drop_emphasis(text: str, labels: Iterable[str]) -> str:
    """Return a sentence of the library without the asterisks that it sets around labels.

    Only asterisks around one of ``labels`` go, so a label that holds asterisks keeps its own.

    Examples
    --------
    >>> drop_emphasis("Given *4*; the model says *a*b* with 0.95.", ["4", "a*b"])
    'Given 4; the model says a*b with 0.95.'
    """
    known = sorted({label for label in labels if label}, key=lambda label: (-len(label), label))
    if not known:
        return text
    return re.sub(rf"\*({'|'.join(map(re.escape, known))})\*", r"\1", text)

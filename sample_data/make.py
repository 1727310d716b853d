"""Make relook's samples: support tickets, and handwritten digits.

``python sample_data/make.py [tickets|digits] [--out DIR]`` writes the folders ``DIR/tickets/`` and ``DIR/digits/``,
or one of them. README.md beside this script says what in them is real, what is simulated and what is planted; the
folder ``making/`` has how. The same versions of the libraries give the same bytes again.
"""

import argparse
from pathlib import Path

from making.digits import write_digits
from making.tickets import write_tickets

SAMPLES = {"tickets": write_tickets, "digits": write_digits}


def main() -> None:
    """Read the options and write the samples."""
    parser = argparse.ArgumentParser(description="Make relook's sample data.")
    here = Path(__file__).resolve().parent
    parser.add_argument("sample", nargs="?", choices=tuple(SAMPLES), help="only this one")
    parser.add_argument("--out", type=Path, default=here, help="where the folders go")
    options = parser.parse_args()
    for name in [options.sample] if options.sample else SAMPLES:
        SAMPLES[name](options.out / name)


if __name__ == "__main__":
    main()

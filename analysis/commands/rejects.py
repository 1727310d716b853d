"""The rows that a load left out, as a table that opens in a spreadsheet."""

import csv
import io

from analysis.relabel.formats.flat_csv import neutralize_cell
from analysis.store.loading import LoadReport

__all__ = ["to_rejects_csv"]


def to_rejects_csv(report: LoadReport) -> bytes:
    """Return the rejected rows of all files of a load as CSV.

    Parameters
    ----------
    report
        What a load, or its dry run, did.

    Returns
    -------
    bytes
        UTF-8 with a byte order mark, as Excel wants it; the columns ``file, part, line, column, reason``. The line
        is that of the file (of a workbook the row), and no cell can start a formula.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["file", "part", "line", "column", "reason"])
    for file in report.files:
        for reject in file.tally.rejects:
            cells = (file.file, file.part or "", str(reject.line), reject.column or "", reject.reason)
            writer.writerow([neutralize_cell(cell) for cell in cells])
    return text.getvalue().encode("utf-8-sig")

"""Ctrl+C at any moment ends with 130 and one line at most, never with a traceback."""

import builtins
import sys

import pytest

from dashboard import cli
from dashboard.parts import start


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_an_interrupt_is_told_in_one_line_whoever_saw_it_first(monkeypatch, capsys, error):
    def run(**_options):
        raise error

    monkeypatch.setattr(cli, "app", run)
    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 130
    assert capsys.readouterr().err == "relook: interrupted. The workspace is as it was.\n"


def test_an_interrupt_while_libraries_are_imported_is_quiet(monkeypatch, capsys):
    real = builtins.__import__

    def interrupted(name, *details):
        if name == "dashboard.cli":
            raise KeyboardInterrupt
        return real(name, *details)

    monkeypatch.delitem(sys.modules, "dashboard.cli")
    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        start.main()

    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")

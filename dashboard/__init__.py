"""The dashboard and the command line; both only show what :mod:`analysis.commands` answers."""

"""One function a command: options in, a frozen dataclass out.

A result's ``to_dict()`` is the JSON of the command line; the pages draw the same object. So the two cannot show
different numbers, and neither computes. Each function reads through one ``Workspace.read()``.
"""

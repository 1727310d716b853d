"""The README tells the truth: its code runs, its commands exist, its links lead somewhere."""

import doctest
import re
import shlex
import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from dashboard.cli import app


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def find_blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_every_python_example_gives_what_it_shows(readme):
    blocks = find_blocks(readme, "python")
    assert blocks
    runner = doctest.DocTestRunner()
    for number, block in enumerate(blocks, 1):
        examples = doctest.DocTestParser().get_doctest(block, {}, f"README example {number}", "README.md", 0)
        assert examples.examples
        report = []
        runner.run(examples, out=report.append)
        assert not report, "".join(report)


def test_the_commands_for_own_data_run_as_written(readme, root, tmp_path, monkeypatch):
    sample = root / "sample_data" / "digits"
    items = [pd.read_parquet(sample / f"{split}.parquet").assign(split=split) for split in ("train", "eval")]
    pd.concat(items).drop(columns="image").to_csv(tmp_path / "items.csv", index=False)
    for name in ("predictions.csv", "votes.csv"):
        shutil.copy(sample / name, tmp_path)
    block = next(block for block in find_blocks(readme, "bash") if "relook load" in block)
    commands = [shlex.split(line)[1:] for line in block.splitlines()]
    assert {command[0] for command in commands} == {"load", "info", "slices", "labels", "request", "serve"}

    monkeypatch.chdir(tmp_path)
    for command in commands:
        if command[0] != "serve":
            ended = CliRunner().invoke(app, command, catch_exceptions=False)
            assert ended.exit_code == 0, f"{command}: {ended.output}"
    assert (tmp_path / "digits.relook").is_file()
    assert list((tmp_path / "requests").glob("*/send/tasks*"))


def test_the_table_of_commands_is_complete(readme):
    listed = re.findall(r"^\| `relook (\w+)` \|", readme, re.MULTILINE)
    assert listed == [command.name for command in app.registered_commands]


def test_the_two_commands_stand_on_one_line_each(readme):
    demo, tests = (block.splitlines() for block in find_blocks(readme, "bash") if "venv" in block)
    assert (len(demo), len(tests)) == (1, 1)
    assert demo[0].endswith("relook demo")
    assert tests[0].endswith("python -m pytest")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_into_the_project_leads_somewhere(root, name):
    targets = re.findall(r"\]\(([^)#]+)\)", (root / name).read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (root / target).exists()] == []

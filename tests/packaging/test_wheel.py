"""The built package holds what it needs, and its demo runs on a machine that has only the package."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheel

START_SECONDS = 120
LISTENING = "0A"  # the state of a listening socket in /proc/net/tcp
LOOPBACK = {"0100007F"}  # 127.0.0.1 as the kernel writes it there; ::1 would be for --host ::1 alone


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(root), "--no-deps", "--quiet", "--wheel-dir", str(out)]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-build-isolation")
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (path,) = out.glob("relook-*.whl")
    return path


@dataclass(frozen=True)
class Installation:
    """An environment of its own: relook from the wheel, everything else borrowed from the one that tests."""

    folder: Path

    @property
    def python(self):
        return self.folder / "bin" / "python"

    def environment(self, home):
        """Return the variables of a user who knows nothing of this checkout."""
        ours = {
            name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "STREAMLIT_", "XDG_"))
        }
        return {**ours, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}


@pytest.fixture(scope="module")
def installation(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    made = Installation(folder)
    command = [sys.executable, "-m", "pip", "--python", str(made.python), "install", "--no-deps", "--quiet", str(wheel)]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path file is read after the folder that it lies in, so the wheel's relook comes first.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


@dataclass(frozen=True)
class Demo:
    """A running demo, and the places that it may and may not write to."""

    process: subprocess.Popen
    port: int
    folder: Path
    home: Path

    def is_up(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read()


@pytest.fixture
def demo(installation, tmp_path, free_port):
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    log = tmp_path / "log.txt"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [installation.folder / "bin" / "relook", "demo", "--headless", "--port", str(free_port)],
            cwd=folder,
            env=installation.environment(home),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        running = Demo(process, free_port, folder, home)
        give_up = time.monotonic() + START_SECONDS
        while not running.is_up():
            assert process.poll() is None, f"the demo ended with code {process.returncode}:\n{log.read_text()}"
            assert time.monotonic() < give_up, f"not up after {START_SECONDS} s:\n{log.read_text()}"
            time.sleep(0.2)
        yield running
    finally:
        # The group is the demo and what it started: both go, whatever the test found.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_wheel_holds_the_code_the_theme_and_the_samples_and_no_tests(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    code = {
        path.relative_to(root).as_posix()
        for place in ("analysis", "dashboard")
        for path in (root / place).rglob("*.py")
    }
    sample = {
        f"dashboard/sample_data/{path.relative_to(root / 'sample_data').as_posix()}"
        for name in ("digits", "tickets")
        for path in (root / "sample_data" / name).rglob("*")
        if path.is_file()
    }
    assert code | sample | {"dashboard/.streamlit/config.toml"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"analysis", "dashboard"}
    assert [name for name in names if "test" in Path(name).name or name.endswith((".relook", ".pyc"))] == []


def test_the_installed_package_stands_alone(installation, tmp_path):
    code = "import analysis, dashboard, dashboard.cli; print(analysis.__file__); print(dashboard.__file__)"
    shown = subprocess.run(
        [installation.python, "-c", code],
        cwd=tmp_path,
        env=installation.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert all(Path(line).is_relative_to(installation.folder) for line in shown.stdout.splitlines())


def find_listeners(port):
    """Return the addresses on which something listens at a port, as the kernel writes them."""
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            local, state = line.split()[1], line.split()[3]
            address, number = local.split(":")
            if state == LISTENING and int(number, 16) == port:
                found.add(address)
    return found


def test_the_demo_runs_from_the_wheel_on_this_machine_only_and_ends_when_told(demo):
    assert demo.get("/_stcore/health") == b"ok"
    assert b"<html" in demo.get("/")
    if Path("/proc/net/tcp").exists():
        assert find_listeners(demo.port) == LOOPBACK

    assert list(demo.folder.iterdir()) == [], "the demo wrote into the folder that it was started in"
    written = {path.relative_to(demo.home).as_posix() for path in demo.home.rglob("*") if path.is_file()}
    assert written == {"data/relook/tickets.relook"}

    # To the demo alone, as a service manager or `kill` would: what it started has to end with it.
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(timeout=30) == 0
    assert not demo.is_up()

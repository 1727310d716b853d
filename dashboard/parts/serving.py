"""Starting the dashboard: Streamlit in a process of its own, with every setting that matters as a flag."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Final

import platformdirs

from analysis.commands.load import load
from analysis.commands.people import PeopleOptions, review_people
from analysis.commands.workspaces import check_readable, workspace_at
from analysis.errors import AnalysisError, FileFaultError

__all__ = ["SAMPLES", "find_sample", "make_demo", "serve"]

SAMPLES: Final = {
    # The second model of the tickets came after the relabelling, so it is not there when the story begins.
    "tickets": ("train.parquet", "eval.parquet", "votes.parquet", "predictions-model-1.parquet"),
    "digits": ("train.parquet", "eval.parquet", "votes.csv", "predictions.csv"),
}
"""The samples in the order in which they are offered, and the files that each is loaded from."""
SAMPLE: Final = "tickets"
PEOPLE: Final = "people.csv"
"""Who the annotators are, where a sample says so."""
_FIRST_PORT: Final = 8501
_PORTS: Final = 100


def find_folder(name: str) -> Path:
    """Return a folder that lies in the package once installed, and beside it in a checkout."""
    package = Path(str(files("dashboard")))
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise AnalysisError(f"The folder {name} is not part of this installation. Install relook again.")


def find_sample(name: str = SAMPLE) -> Path:
    """Return the folder of a sample."""
    return find_folder("sample_data") / name


def make_demo(name: str = SAMPLE) -> tuple[Path, Path]:
    """Load a sample into a workspace in the user's data folder, once.

    Parameters
    ----------
    name
        One of :data:`SAMPLES`.

    Returns
    -------
    tuple of Path and Path
        The workspace, and the folder of the sample's files.
    """
    folder = Path(platformdirs.user_data_dir("relook", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    workspace, sample = folder / f"{name}.relook", find_sample(name)
    if workspace.exists():
        try:
            check_readable(workspace_at(workspace))
        except FileFaultError:
            # Of another version, or damaged: kept, as somebody may have worked in it, and made anew.
            workspace_at(workspace).close()
            workspace.replace(folder / f"{name}-old.relook")
    if not workspace.exists():
        # Loaded aside and moved, so that two demos started at once cannot see half a workspace.
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            fresh = Path(aside) / workspace.name
            load(workspace_at(fresh), [sample / file for file in SAMPLES[name]])
            if (sample / PEOPLE).is_file():
                review_people(workspace_at(fresh), PeopleOptions(file=sample / PEOPLE))
            workspace_at(fresh).close()
            shutil.move(fresh, workspace)
    return workspace, sample


def serve(workspace: Path, *, port: int | None, headless: bool, host: str, data_root: Path, insecure: bool) -> None:
    """Run the dashboard until it is interrupted (Ctrl+C) or asked to end (SIGTERM).

    Raises
    ------
    AnalysisError
        If the address is open to others without ``insecure``, or the port is taken.
    """
    _check_host(host, insecure=insecure)
    chosen = _choose_port(host, port)
    config = find_folder(".streamlit") / "config.toml"
    flags = {
        "server.address": host,
        "server.port": str(chosen),
        "server.headless": str(headless).lower(),
        # Streamlit's first start would ask for an e-mail address, and wait.
        "server.showEmailPrompt": "false",
        "server.enableXsrfProtection": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": "2048",
        "browser.gatherUsageStats": "false",
        "logger.hideWelcomeMessage": "true",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.base": str(config),
    }
    script = Path(str(files("dashboard"))) / "streamlit_app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += [f"--{name}={setting}" for name, setting in flags.items()]
    command += ["--", str(workspace.resolve()), str(data_root.resolve())]
    sys.stderr.write(f"relook: http://{host}:{chosen} (stop with Ctrl+C)\n")
    ended = _run_until_told(command)
    if ended != 0:
        raise AnalysisError(f"The dashboard ended with code {ended}; its own message is above.")


def _run_until_told(command: list[str]) -> int:
    """Run Streamlit, and end it when this process is told to end: nobody else knows that it is there.

    A terminal sends Ctrl+C to both processes; ``kill`` and service managers may send theirs to this one alone.
    Streamlit ends politely at the first signal. The second one does not wait.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, once Streamlit has ended.
    """
    child: subprocess.Popen[bytes] | None = None
    told: list[int] = []

    def tell(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if child is not None and child.poll() is None:
            child.terminate() if len(told) == 1 else child.kill()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        child = subprocess.Popen(command)  # noqa: S603  (our own interpreter and script, no shell)
        if told:
            child.terminate()
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGINT in told:
        raise KeyboardInterrupt
    return 0 if told else code


def _check_host(host: str, *, insecure: bool) -> None:
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    if not is_local and not insecure:
        raise AnalysisError(
            f"--host {host} lets others on the network in, and the dashboard has no login. "
            "Add --insecure if that is what you want, or put a proxy with a login before 127.0.0.1."
        )


def _choose_port(host: str, port: int | None) -> int:
    if port is not None:
        if not _is_free(host, port):
            raise AnalysisError(f"Port {port} on {host} is taken. Choose another with --port, or leave it out.")
        return port
    for candidate in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
        if _is_free(host, candidate):
            return candidate
    raise AnalysisError(f"No port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} is free. Choose one with --port.")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True

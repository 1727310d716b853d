"""Fixtures for all tests."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow, not wrong: no example is failed for the time it took. Under CI the examples are the same
# in every run, so that a change is judged by itself; at home each run looks for new ones.
settings.register_profile(
    "relook",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("relook")

ROOT = Path(__file__).resolve().parents[1]


def skip_or_fail(reason: str) -> None:
    """Skip with the reason; where CI promises the tool or the data, a skip would hide a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI=true this may not be skipped: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets with human-checked truth, beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        skip_or_fail("../shared/data is not there: these tests need the real data sets")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program: Debian's, since Playwright's own cannot be had everywhere. Root needs --no-sandbox."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        skip_or_fail("chromium is not installed: these tests drive a browser")
    return str(program)


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

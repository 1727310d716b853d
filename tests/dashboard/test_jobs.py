"""Jobs: a queue and one worker; progress, Cancel, and an end for everything."""

import threading

import pytest

from analysis.errors import AnalysisError
from dashboard.parts import jobs as module
from dashboard.parts.jobs import Jobs, State


@pytest.fixture
def jobs():
    made = Jobs()
    yield made
    made.close()


def test_a_job_tells_how_far_it_is_and_keeps_its_result(jobs):
    told, go = threading.Event(), threading.Event()

    def work(watch):
        watch.tell("Counting", 3, 10)
        told.set()
        go.wait(10)
        return "all of it"

    job = jobs.start("count", "Counting rows", work)
    assert told.wait(10)
    assert (job.state, job.progress.step, job.progress.done, job.progress.total) == (State.RUNNING, "Counting", 3, 10)
    go.set()

    assert job.wait(10)
    assert (job.state, job.result, job.error) == (State.DONE, "all of it", None)
    assert jobs.find("count") is job


def test_two_clicks_are_one_job(jobs):
    go = threading.Event()
    first = jobs.start("load", "Loading", lambda _watch: go.wait(10))

    assert jobs.start("load", "Loading", lambda _watch: None) is first
    go.set()
    assert first.wait(10)
    assert jobs.start("load", "Loading", lambda _watch: None) is not first


def test_a_cancelled_job_stops_at_its_next_check(jobs):
    began = threading.Event()

    def work(watch):
        began.set()
        while True:
            watch.check()

    job = jobs.start("long", "Long", work)
    assert began.wait(10)
    job.cancel()

    assert job.wait(10)
    assert (job.state, job.error) == (State.CANCELLED, "Cancelled. Nothing was changed.")


def test_a_job_cancelled_before_its_turn_never_begins(jobs):
    go, done = threading.Event(), []
    first = jobs.start("first", "First", lambda _watch: go.wait(10))
    second = jobs.start("second", "Second", done.append)
    second.cancel()
    go.set()

    assert first.wait(10)
    assert second.wait(10)
    assert (second.state, done) == (State.CANCELLED, [])


def test_what_the_user_can_mend_is_said(jobs):
    def work(_watch):
        raise AnalysisError("The file is empty.")

    job = jobs.start("bad", "Bad", work)

    assert job.wait(10)
    assert (job.state, job.error) == (State.FAILED, "The file is empty.")


def test_a_fault_of_ours_ends_in_one_line_and_the_worker_lives_on(jobs, monkeypatch):
    monkeypatch.setattr(module, "describe_fault", lambda error: f"our fault: {type(error).__name__}")
    job = jobs.start("fault", "Fault", lambda _watch: 1 / 0)

    assert job.wait(10)
    assert (job.state, job.error) == (State.FAILED, "our fault: ZeroDivisionError")
    after = jobs.start("after", "After", lambda _watch: "fine")
    assert after.wait(10)
    assert after.result == "fine"


def test_only_the_latest_ended_jobs_are_kept(jobs, monkeypatch):
    monkeypatch.setattr(module, "_KEPT", 3)
    for number in range(6):
        assert jobs.start(number, "Short", lambda _watch: None).wait(10)
    jobs.start("next", "Short", lambda _watch: None).wait(10)

    assert [number for number in range(6) if jobs.find(number)] == [3, 4, 5]

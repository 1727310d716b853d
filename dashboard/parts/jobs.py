"""Work that takes longer than a page: a queue and a worker in this process, with progress and Cancel.

A job outlives the page and the session that asked for it. It knows nothing of Streamlit: a page looks at it
again and again and draws what it sees.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Final

from analysis.commands.faults import describe_fault
from analysis.commands.load import Progress, Watch
from analysis.errors import AnalysisError, CancelledError

__all__ = ["Job", "Jobs", "State"]

_KEPT: Final = 64
"""Ended jobs whose result is still there to look at; older ones are dropped."""


class State(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Job:
    """One piece of work.

    Parameters
    ----------
    key
        What the work is about, such as ``("load", path)``; the page finds the job again by it.
    title
        What it does, for people.
    work
        The work; it is given a :class:`Watch` to tell how far it is.
    """

    def __init__(self, key: Hashable, title: str, work: Callable[[Watch], Any]) -> None:
        self.key = key
        self.title = title
        self.progress = Progress("Waiting for the work before it")
        self.result: Any = None
        self.error: str | None = None
        self._state = State.WAITING
        self._work: Callable[[Watch], Any] | None = work
        self._turn = threading.Lock()
        self._watch = Watch(self._note)
        self._ended = threading.Event()

    @property
    def state(self) -> State:
        """Where the job is."""
        return self._state

    @property
    def ended(self) -> bool:
        """The job is over, one way or another."""
        return self._ended.is_set()

    def is_about(self, subject: Hashable) -> bool:
        """Tell whether the first part of the key is this, such as a workspace's path."""
        return isinstance(self.key, tuple) and self.key[0] == subject

    def cancel(self) -> None:
        """Ask the job to stop; what it changed is undone by itself. One that still waits has ended at once."""
        self._watch.cancel()
        with self._turn:
            if self._state is State.WAITING:
                self.error = CancelledError().message
                self._end(State.CANCELLED)

    def wait(self, seconds: float) -> bool:
        """Wait until the job has ended, and tell whether it has."""
        return self._ended.wait(seconds)

    def run(self) -> None:
        """Do the work, in the thread of the worker; whatever happens ends in a state."""
        with self._turn:
            work = self._work
            if work is None:
                return
            self._state = State.RUNNING
        end = State.FAILED
        try:
            self._watch.check()
            self.result = work(self._watch)
            end = State.DONE
        except CancelledError as cancelled:
            self.error, end = cancelled.message, State.CANCELLED
        except AnalysisError as error:
            self.error = error.message
        except Exception as error:  # noqa: BLE001  (a worker has no caller who could catch it)
            self.error = describe_fault(error)
        finally:
            self._end(end)

    def _end(self, state: State) -> None:
        """Be over, and let go of what the work holds, such as the files of an upload."""
        self._state, self._work = state, None
        self._ended.set()

    def _note(self, progress: Progress) -> None:
        self.progress = progress


class Jobs:
    """All jobs of this process; safe between threads.

    One worker: what jobs do is mostly writing, and a workspace has one writer.

    Examples
    --------
    >>> jobs = Jobs()
    >>> job = jobs.start("sum", "Adding", lambda watch: 1 + 1)
    >>> job.wait(10), job.state.value, job.result
    (True, 'done', 2)
    >>> jobs.close()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="relook-job")

    def start(self, key: Hashable, title: str, work: Callable[[Watch], Any]) -> Job:
        """Start a job, or return the one with this key that has not ended yet: two clicks are one job."""
        with self._lock:
            known = self._jobs.get(key)
            if known is not None and not known.ended:
                return known
            job = Job(key, title, work)
            self._jobs[key] = job
            self._jobs.move_to_end(key)
            for old in [name for name, found in self._jobs.items() if found.ended][:-_KEPT]:
                del self._jobs[old]
            self._pool.submit(job.run)
        return job

    def find(self, key: Hashable) -> Job | None:
        """Return the job with a key, running or ended; None where there is none."""
        with self._lock:
            return self._jobs.get(key)

    def busy_with(self, subject: Hashable) -> Job | None:
        """Return the job that runs on a subject: the first part of its key, such as a workspace's path.

        One that waits does not touch its subject yet, and may wait long behind another subject's.
        """
        with self._lock:
            running = (job for job in self._jobs.values() if job.state is State.RUNNING)
            return next((job for job in running if job.is_about(subject)), None)

    def forget(self, key: Hashable) -> None:
        """Drop a job that has ended."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and job.ended:
                del self._jobs[key]

    def close(self) -> None:
        """Cancel what waits and runs, and let the worker end."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

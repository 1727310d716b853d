"""Long work that can be watched and stopped: who does it tells how far it is, who asked for it may cancel.

Nothing here knows what the work is. A command line draws a bar from it, a page a progress bar with a Cancel
button; a caller who does not care passes nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from analysis.errors import CancelledError

__all__ = ["Progress", "Watch"]


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes
    ----------
    step
        What is done right now, as a short phrase for people, such as ``"Reading train.csv"``.
    done, total
        In the step's own unit; ``total`` is None where it is not known.
    """

    step: str
    done: int = 0
    total: int | None = None


class Watch:
    """A view of one piece of work from outside; safe between threads.

    Parameters
    ----------
    tell
        Called with every :class:`Progress`, in the thread that works; it must be quick and must not raise.

    Examples
    --------
    >>> seen = []
    >>> watch = Watch(lambda progress: seen.append(progress.step))
    >>> watch.tell("Reading train.csv")
    >>> watch.cancel()
    >>> watch.check()
    Traceback (most recent call last):
    ...
    analysis.errors.CancelledError: Cancelled. Nothing was changed.
    >>> seen
    ['Reading train.csv']
    """

    def __init__(self, tell: Callable[[Progress], None] | None = None) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Somebody asked the work to stop."""
        return self._cancelled.is_set()

    def tell(self, step: str, done: int = 0, total: int | None = None) -> None:
        """Say how far the work is, after checking that it is still wanted.

        Raises
        ------
        CancelledError
            If it is not.
        """
        self.check()
        if self._tell is not None:
            self._tell(Progress(step, done, total))

    def check(self) -> None:
        """Stop here if the work was cancelled.

        Raises
        ------
        CancelledError
            If it was.
        """
        if self.cancelled:
            raise CancelledError

    def cancel(self) -> None:
        """Ask the work to stop; a query that is running is interrupted."""
        self._cancelled.set()
        with self._lock:
            stops = list(self._stops)
        for stop in stops:
            stop()

    @contextmanager
    def interrupting(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have ``stop`` (such as a connection's ``interrupt``) called on cancel while the block lasts.

        Whatever the interrupted call raises becomes a CancelledError.

        Raises
        ------
        CancelledError
            If the work was cancelled before the block or inside it.
        """
        self.check()
        with self._lock:
            self._stops.append(stop)
        try:
            # A cancel between the check and the entry in the list would otherwise be missed.
            self.check()
            yield
        except Exception as error:
            if self.cancelled:
                raise CancelledError from error
            raise
        finally:
            with self._lock:
                self._stops.remove(stop)

"""How far a job is, drawn over and over until it ends."""

import streamlit as st

from dashboard.parts.jobs import Job
from dashboard.parts.plain import escape_markdown

__all__ = ["draw_progress"]

_EVERY_SECONDS = 0.4


@st.fragment(run_every=_EVERY_SECONDS)
def draw_progress(job: Job, *, may_cancel: bool) -> None:
    """Draw a job's step and how far it is; the page runs again when the job has ended.

    Parameters
    ----------
    job
        The job.
    may_cancel
        Draw Cancel: for the session that started it, and for no other.
    """
    if job.ended:
        st.rerun()
    progress = job.progress
    share = min(1.0, progress.done / progress.total) if progress.total else 0.0
    counted = f" ({progress.done:,} of {progress.total:,})" if progress.total else ""
    if progress.done and not progress.total:
        counted = f" ({progress.done:,} so far)"
    st.progress(share, text=f"{escape_markdown(progress.step)}{counted}")
    if not may_cancel:
        st.caption("Another session started this. The pages are back when it has ended.")
    elif st.button("Cancel", icon=":material/stop_circle:", key=f"cancel {job.title}"):
        job.cancel()
        if job.ended:
            # It waited for its turn, which need not come before the page goes on.
            st.rerun()

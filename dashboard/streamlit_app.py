"""The frame of the dashboard: which workspace, model, filter and basket; then one page.

Run it with ``relook serve WORKSPACE``, or ``streamlit run dashboard -- WORKSPACE`` from a checkout.
"""

import streamlit as st

from analysis.commands.faults import describe_fault
from analysis.commands.workspaces import workspace_at
from analysis.errors import AnalysisError
from dashboard.parts import queries, state, widgets
from dashboard.parts.add_files import is_own
from dashboard.parts.frame import draw_frame, draw_welcome
from dashboard.parts.plain import escape_markdown
from dashboard.parts.progress import draw_progress
from dashboard.parts.strings import PAGES

# The icon is drawn here: a named one would be fetched from elsewhere by every visitor's browser.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="13" cy="13" r="9" fill="none" '
    'stroke="#0072B2" stroke-width="4"/><path d="M20 20l9 9" stroke="#D55E00" stroke-width="4" stroke-linecap="round"/>'
    "</svg>"
)
st.set_page_config(page_title="relook", page_icon=ICON, layout="wide")

pages = {
    name: st.Page(
        f"views/{name}.py",
        title=title,
        icon=icon,
        url_path=name,
        default=name == "home",
        visibility="hidden" if name == "slice" else "visible",
        help=question,
    )
    for name, (title, icon, question) in PAGES.items()
}
page = st.navigation(list(pages.values()), position="sidebar", expanded=True)
name = next(key for key, candidate in pages.items() if candidate.title == page.title)

try:
    path = state.workspace_path()
    job = queries.jobs().busy_with(state.first_path())
    if job is not None:
        # The file belongs to the job until it ends: no page could read it.
        st.header(job.title, anchor=False)
        draw_progress(job, may_cancel=is_own(job))
    elif path is None or not path.exists():
        draw_welcome(path)
    else:
        draw_frame(workspace_at(path))
        try:
            page.run()
        finally:
            # Also where a page stops early: the address says what is shown.
            state.mirror(name)
except AnalysisError as error:
    # The one edge of the pages: what the user can mend is said in one sentence.
    st.error(escape_markdown(error.message), icon=":material/error:")
    if name != "data" and st.button("Open Data", icon=":material/database:", key="error to data"):
        widgets.open_page("data")
except Exception as error:  # noqa: BLE001  (nobody but us can mend it; the reader gets one line, not a traceback)
    st.error(describe_fault(error), icon=":material/bug_report:")

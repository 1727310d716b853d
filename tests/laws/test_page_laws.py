"""The laws of the pages: who keeps state, who caches, and that a page calls nobody."""

import ast


def find_page_state(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"session_state", "query_params"}:
            yield node.lineno, f"{ast.unparse(node)}: only dashboard/parts/state.py keeps state"


def test_only_state_says_session_state_and_query_params(house):
    house.hold(
        find_page_state,
        "dashboard",
        but=["dashboard/parts/state.py"],
        refuses=["st.session_state['x']", "st.query_params", "streamlit.session_state.x = 1"],
        allows=["st.selectbox('x', y, bind='query-params')"],
    )


def find_page_caches(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"cache_data", "cache_resource"}:
            yield node.lineno, f"{ast.unparse(node)}: only dashboard/parts/queries.py caches"


def test_only_queries_caches(house):
    house.hold(
        find_page_caches,
        "dashboard",
        but=["dashboard/parts/queries.py"],
        refuses=["@st.cache_data(ttl=1)\ndef f(): ...", "st.cache_resource.clear()"],
        allows=["queries.cached(x)"],
    )


def test_nothing_else_lies_in_dashboard_where_it_could_shadow_a_module(house):
    """Streamlit puts ``dashboard/`` first on the path: a file ``dashboard/copy.py`` would stand for the library's."""
    found = {source.path.name for source in house.sources if str(source.path.parent) == "dashboard"}
    assert found <= {"__init__.py", "streamlit_app.py", "cli.py"}


def find_fetched_icons(source):
    for call, _, _ in source.calls():
        for keyword in call.keywords:
            icon = getattr(keyword.value, "value", None)
            if keyword.arg == "page_icon" and isinstance(icon, str) and icon.startswith(":"):
                yield call.lineno, f"page_icon={icon!r}: the browser would fetch it from the internet; give an SVG"


def test_the_icon_of_the_page_is_not_fetched_from_the_internet(house):
    """Streamlit draws Material icons from a font of its own everywhere but in the browser's tab."""
    house.hold(
        find_fetched_icons,
        "dashboard",
        refuses=["st.set_page_config(page_icon=':material/search:')"],
        allows=["st.set_page_config(page_icon='<svg></svg>')", "st.Page('x.py', icon=':material/search:')"],
    )

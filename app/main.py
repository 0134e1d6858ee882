"""The app's entry: ``streamlit run app/main.py``. It needs a configuration, as the command line does."""

from __future__ import annotations

import streamlit as st

from app import reveal

PAGES = [
    st.Page("page_overview.py", title="Overview", icon=":material/verified_user:", url_path="overview", default=True),
    st.Page("page_sessions.py", title="Sessions", icon=":material/list:", url_path="sessions"),
    st.Page("page_session.py", title="Session", icon=":material/forum:", url_path="session"),
]

# A named icon as favicon would be fetched from the internet by every browser that opens the app.
SHIELD = '<svg viewBox="0 0 16 16"><path d="M8 1l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V3z" fill="#1f5f8b"/></svg>'

st.set_page_config(page_title="Evidence", page_icon=SHIELD, layout="wide")
page = st.navigation(PAGES, position="top")
if page.url_path != "session":
    reveal.forget()
page.run()

"""The app's entry: ``streamlit run app/main.py``. It needs a configuration, as the command line does."""

from __future__ import annotations

import streamlit as st

from app import reveal

PAGES = [
    st.Page("page_overview.py", title="Overview", icon=":material/verified_user:", url_path="overview", default=True),
    st.Page("page_sessions.py", title="Sessions", icon=":material/list:", url_path="sessions"),
    st.Page("page_session.py", title="Session", icon=":material/forum:", url_path="session"),
]

st.set_page_config(page_title="Evidence", page_icon=":material/verified_user:", layout="wide")
page = st.navigation(PAGES, position="top")
if page.url_path != "session":
    reveal.forget()
page.run()

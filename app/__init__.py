"""The Streamlit app for security teams: what the store holds, its sessions, and one session read in full."""

"""What is handed to an auditor: written here, checked by reports/standalone/verify.py and reports/page."""

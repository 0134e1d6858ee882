"""Controls of frameworks, from data: what is asked of the store, and what it can show. See docs/CONTROLS.md."""

from reports.controls.evaluate import evaluate, names, record_ids

__all__ = ["evaluate", "names", "record_ids"]

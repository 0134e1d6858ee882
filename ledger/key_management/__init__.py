"""Keeping keys: rotation, backups, reconciliation with the ledger, who may sign."""

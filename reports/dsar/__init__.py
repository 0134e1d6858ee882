"""Requests of data subjects: their clocks, register, plans, approvals."""

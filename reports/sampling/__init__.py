"""Samples that an auditor can draw again."""

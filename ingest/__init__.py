"""Ingest: what comes in from files, object storage and live sources becomes committed partitions."""

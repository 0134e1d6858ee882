"""Sessions, their timelines, lineage and guarded queries over a store."""

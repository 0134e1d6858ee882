"""The ledger: bytes, trees, keys and storage. Knows nothing of AI; its door is ``ledger.store.Store``."""

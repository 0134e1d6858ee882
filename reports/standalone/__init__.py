"""What an auditor runs without this product: one file of the standard library."""

"""Reports that everybody asks for: each a function of a catalog, a published checkpoint and a period."""

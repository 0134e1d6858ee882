"""Evidence bundles: exporting them, and checking them."""

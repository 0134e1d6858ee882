"""The same records counted in ways that must agree."""

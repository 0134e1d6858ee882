"""x"""

EXAMPLE = ""


def export() -> None:
    """X"""

"""x"""

EXAMPLE = ""


def verify_bundle() -> None:
    """X"""

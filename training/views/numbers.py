"""Numbers of rows in addresses."""

# A longer one is no row's.
LONGEST = 18


def number_of(said: str) -> int:
    """Of a row; 0, which none has, for what is no number."""
    return int(said) if said.isdecimal() and len(said) <= LONGEST else 0

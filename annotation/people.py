"""How people are named on pages that are shown around."""

from annotation.models import User


def shown_name(person: User, *, hidden: bool) -> str:
    """The user name, or where names are hidden a number that stays the same everywhere."""
    return f"{person.get_role_display()} {person.pk}" if hidden else person.get_username()

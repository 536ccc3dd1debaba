"""One person of each role, with a random password that is kept in the data directory."""

import json
import secrets
from pathlib import Path

from annotation.models import Role, User


def make_people(*, path: Path) -> dict[str, dict[str, str]]:
    """Make sure of one person a role; the file holds their sign-ins, readable by its owner alone.

    People who are there are left alone: once somebody has changed their password, the file names them no more.
    Returns {role: {"username", "password"}}.
    """
    sign_ins = json.loads(path.read_text()) if path.exists() else {}
    people = {user.username: user for user in User.objects.filter(username__in=Role.values)}
    for role in Role.values:
        if role not in people:
            sign_ins.setdefault(role, {"username": role, "password": secrets.token_urlsafe(9)})
    _write(path, sign_ins)  # First, so that whoever is made can sign in, whatever happens now.
    for role in Role.values:
        if role not in people:
            user = User.objects.create_user(username=role, password=sign_ins[role]["password"], role=role)
            sign_ins[role]["hash"] = user.password
        elif role in sign_ins and people[role].password != sign_ins[role].get("hash"):
            # Made anew by a later Django, or changed: asked only then, because it takes half a second.
            if people[role].check_password(sign_ins[role]["password"]):
                sign_ins[role]["hash"] = people[role].password
            else:
                del sign_ins[role]
    _write(path, sign_ins)
    return sign_ins


def _write(path: Path, sign_ins: dict[str, dict[str, str]]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(sign_ins, indent=1))

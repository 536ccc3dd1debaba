"""One person of each role, with a random password that is kept in the data directory."""

import json
import secrets
from pathlib import Path

from annotation.models import Role, User


def make_people(*, path: Path) -> dict[str, dict[str, str]]:
    """Make sure of one person a role; the file holds their sign-ins, readable by its owner alone.

    Passwords that people have changed are left alone. Returns {role: {"username", "password"}}.
    """
    sign_ins = json.loads(path.read_text()) if path.exists() else {}
    for role in Role.values:
        user = User.objects.filter(username=role).first()
        if user is not None and role in sign_ins:
            continue
        password = secrets.token_urlsafe(9)
        if user is None:
            User.objects.create_user(username=role, password=password, role=role)
        else:
            user.set_password(password)
            user.save()
        sign_ins[role] = {"username": role, "password": password}
    path.touch(mode=0o600)
    path.write_text(json.dumps(sign_ins, indent=1))
    return sign_ins

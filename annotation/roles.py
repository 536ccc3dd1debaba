"""Who may do what: the doors that views stand behind, and admin permissions by role."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from annotation import prepared
from annotation.models import Role, User

View = Callable[..., HttpResponse]

# What a researcher works on in the admin; people and sign-ins are the administrator's.
RESEARCHER_APPS = frozenset({"annotation", "judging", "jobs", "training"})
ADMINISTRATOR_MODELS = frozenset({"user"})


class RoleBackend(ModelBackend):
    """Passwords as Django checks them; permissions from the role instead of groups and rows."""

    def get_user(self, user_id: int) -> User | None:
        user = prepared.by(User, "id", user_id)
        return user if user and self.user_can_authenticate(user) else None

    def has_perm(self, user_obj: User, perm: str, obj: object = None) -> bool:  # noqa: ARG002
        if not user_obj.is_active or user_obj.role != Role.RESEARCHER:
            return False
        app, _, codename = perm.partition(".")
        return app in RESEARCHER_APPS and codename.rpartition("_")[2] not in ADMINISTRATOR_MODELS

    def has_module_perms(self, user_obj: User, app_label: str) -> bool:
        return user_obj.is_active and user_obj.role == Role.RESEARCHER and app_label in RESEARCHER_APPS


def _only(may: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not getattr(request.user, may):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


labellers_only = _only("may_label")
reviewers_only = _only("may_review")
researchers_only = _only("may_research")

from typing import Any

from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    name = "annotation"
    verbose_name = "Corpus and people"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_out

        user_logged_out.connect(_release_claims, dispatch_uid="annotation.release_claims")


def _release_claims(*, user: Any, **_: object) -> None:
    """What somebody had before them when they signed out waits for nobody."""
    from annotation.assignment import release

    if user is not None:
        release(user=user)

import pytest
from django.core.management import call_command

from annotation.models import Role, User


@pytest.mark.django_db
def test_createsuperuser_makes_an_administrator(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse")
    call_command("createsuperuser", username="ada", email="", interactive=False, verbosity=0)
    ada = User.objects.get()
    assert (ada.role, ada.is_superuser, ada.is_staff) == (Role.ADMINISTRATOR, True, True)


@pytest.mark.django_db
def test_a_role_decides_over_staff_and_superuser():
    ada = User.objects.create_superuser("ada")
    ada.role = Role.ANNOTATOR
    ada.save()
    ada.refresh_from_db()
    assert (ada.role, ada.is_superuser, ada.is_staff) == (Role.ANNOTATOR, False, False)

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotation.models import Role, User
from config.demo.people import make_people
from tests.annotation.label_page import signed_in


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


@pytest.mark.django_db
def test_a_person_changes_their_password_and_is_signed_out_elsewhere():
    user = User.objects.create_user("ann", password="correct horse", role=Role.ANNOTATOR)
    here, elsewhere = signed_in(user), signed_in(user)
    page = reverse("password")
    said = {"old_password": "correct horse", "new_password1": "battery staple", "new_password2": "battery staple"}
    for wrong, named in (
        ({"old_password": "guessed"}, "old_password"),
        ({"new_password2": "battery"}, "new_password2"),
        ({"new_password1": "12345678", "new_password2": "12345678"}, "new_password2"),
    ):
        refused = here.post(page, said | wrong)
        assert refused.status_code == 422
        assert list(refused.context["form"].errors) == [named]
    assert "is changed" in here.post(page, said, follow=True).text
    user.refresh_from_db()
    assert user.check_password("battery staple")
    assert here.get(page).status_code == 200
    assert elsewhere.get(page).status_code == 302


@pytest.mark.django_db
def test_the_demos_sign_ins_name_nobody_who_has_changed_their_password(tmp_path):
    path = tmp_path / "sign-ins.json"
    made = make_people(path=path)
    assert set(made) == set(Role.values)
    assert path.stat().st_mode & 0o777 == 0o600
    for role, said in made.items():
        assert User.objects.get(username=said["username"], role=role).check_password(said["password"])
    assert make_people(path=path) == made
    changed = User.objects.get(username="reviewer")
    changed.set_password("battery staple")
    changed.save()
    assert set(make_people(path=path)) == set(Role.values) - {"reviewer"}
    path.unlink()
    assert make_people(path=path) == {}
    changed.refresh_from_db()
    assert changed.check_password("battery staple")

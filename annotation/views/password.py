"""A person's own password."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters


class PasswordForm(PasswordChangeForm):
    """Django's, told in a sentence."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = "Old password"
        self.fields["new_password2"].label = "New password again"
        self.fields["new_password2"].help_text = ""
        rules = "At least 8 characters; no common password, not only digits, and nothing like your name."
        self.fields["new_password1"].help_text = rules


@sensitive_post_parameters()
def password(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(
            request, "Your password is changed. Other browsers in which you were signed in are signed out."
        )
        return redirect("home")
    return render(
        request, "registration/password.html", {"form": form}, status=422 if request.method == "POST" else 200
    )

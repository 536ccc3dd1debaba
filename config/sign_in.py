"""What happens to a request that needs a person and has none: nothing of what they had written is silently lost."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

# Form fields in which people write; the rest is made by the page and comes back with it.
WRITTEN = ("rationale", "note", "text")


class SignInRequired(LoginRequiredMiddleware):
    """A page leads to the sign-in and back. A part of a page makes the browser go there. A form says what it held."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., HttpResponse]) -> HttpResponse:
        login_url, name = self.get_login_url(view_func), self.get_redirect_field_name(view_func)
        sign_in = redirect_to_login(_page_of(request), login_url, name)
        if request.htmx:
            return HttpResponse(status=401, headers={"HX-Redirect": sign_in.url})
        if request.method == "POST" and (written := _written(request)):
            context = {"written": written, "sign_in": sign_in.url}
            return render(request, "registration/signed_out.html", context, status=401)
        return sign_in


def _page_of(request: HttpRequest) -> str:
    """Where to go on after the sign-in. A form's own address may take nothing but a POST: then the page it stood on."""
    if request.htmx:
        return request.htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure()):
        return urlsplit(came_from)._replace(scheme="", netloc="").geturl()
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def _written(request: HttpRequest) -> list[str]:
    return [request.POST[name] for name in WRITTEN if request.POST.get(name, "").strip()]

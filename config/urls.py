"""Every page. Upward links in templates are these URL names."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

from annotation import views as annotation_views

urlpatterns = [
    path("", annotation_views.home, name="home"),
    path("accounts/login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("accounts/password/", annotation_views.password, name="password"),
    path("admin/", admin.site.urls),
    path("", include("annotation.urls")),
    path("", include("judging.urls")),
    path("", include("training.urls")),
    path("", include("jobs.urls")),
]

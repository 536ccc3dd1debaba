"""Settings of a dataset, how people learn to label it, qualify and stand, and what they see after a decision."""

from django.urls import URLPattern, path

from annotation.views import controls, onboarding, reveal, settings, standings

urlpatterns: list[URLPattern] = [
    path("datasets/<slug:slug>/settings/", settings.settings_page, name="dataset_settings"),
    path("datasets/<slug:slug>/controls/", controls.control_list, name="controls"),
    path("datasets/<slug:slug>/controls/import/", controls.control_import, name="control_import"),
    path("controls/<int:pk>/withdraw/", controls.control_withdraw, name="control_withdraw"),
    path("datasets/<slug:slug>/standings/", standings.standings, name="standings"),
    path("datasets/<slug:slug>/standings/<int:pk>/", standings.standing_change, name="standing_change"),
    path("label/<slug:slug>/onboarding/", onboarding.onboarding_page, name="onboarding"),
    path("label/<slug:slug>/practice/", onboarding.practice, name="practice"),
    path("label/<slug:slug>/practice/<int:pk>/", onboarding.practice_answer, name="practice_answer"),
    path("label/<slug:slug>/qualification/", onboarding.qualification, name="qualification"),
    path("label/<slug:slug>/pair/<int:pk>/others/", reveal.reveal_pair, name="reveal_pair"),
]

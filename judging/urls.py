from django.urls import URLPattern, path

from judging.views import agreement, auditing, audits, datasets, judges, leaderboard, review, runs, study

urlpatterns: list[URLPattern] = [
    path("datasets/<slug:slug>/", datasets.dataset, name="dataset"),
    path("datasets/<slug:slug>/study/", study.study, name="study"),
    path("datasets/<slug:slug>/study/people.csv", study.study_csv, {"table": "people"}, name="study_people"),
    path("datasets/<slug:slug>/study/days.csv", study.study_csv, {"table": "days"}, name="study_days"),
    path("datasets/<slug:slug>/leaderboard/", leaderboard.leaderboard, name="leaderboard"),
    path("datasets/<slug:slug>/agreement/", agreement.agreement, name="agreement"),
    path("datasets/<slug:slug>/agreement.csv", agreement.agreement_file, name="agreement_file"),
    path("datasets/<slug:slug>/review/", review.review, name="review"),
    path("datasets/<slug:slug>/review/count/", review.review_count, name="review_count"),
    path("datasets/<slug:slug>/audits/", audits.audits, name="audits"),
    path("datasets/<slug:slug>/audits/new/", audits.audit_new, name="audit_new"),
    path("audits/<int:pk>/", audits.audit, name="audit"),
    path("audits/<int:pk>/labels/", audits.audit_items, name="audit_items"),
    path("audits/<int:pk>/export/", audits.audit_export, name="audit_export"),
    path("audits/<int:pk>/training.json", audits.audit_snapshot, name="audit_snapshot"),
    path("audits/<int:pk>/close/", audits.audit_close, name="audit_close"),
    path("audit/", auditing.audit_own, name="audit_own"),
    path("audit/<int:pk>/", auditing.audit_blind, name="audit_blind"),
    path("audit/<int:pk>/label/<int:item_pk>/", auditing.audit_decide, name="audit_decide"),
    path("pairs/<int:pk>/", review.pair, name="pair"),
    path("pairs/<int:pk>/next/", review.pair_next, name="pair_next"),
    path("judges/", judges.judges, name="judges"),
    path("judges/new/", judges.judge_new, name="judge_new"),
    path("judges/<int:pk>/", judges.judge, name="judge"),
    path("runs/new/", runs.run_new, name="run_new"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/continue/", runs.run_continue, name="run_continue"),
    path("runs/<int:pk>/retry-failed/", runs.run_retry_failed, name="run_retry_failed"),
]

from django.urls import URLPattern, path

from training.views import checkpoints, runs, snapshots

urlpatterns: list[URLPattern] = [
    path("training/", runs.training, name="training"),
    path("training/new/", runs.training_new, name="training_new"),
    path("training/compare/", runs.training_compare, name="training_compare"),
    path("training/<int:pk>/", runs.training_run, name="training_run"),
    path("training/<int:pk>/live/", runs.training_live, name="training_live"),
    path("training/<int:pk>/continue/", runs.training_continue, name="training_continue"),
    path("training/<int:pk>/repeat/", runs.training_repeat, name="training_repeat"),
    path("training/<int:pk>/notes/", runs.training_notes, name="training_notes"),
    path("training/snapshots/", snapshots.snapshots, name="snapshots"),
    path("training/snapshots/new/", snapshots.snapshot_new, name="snapshot_new"),
    path("training/snapshots/<int:pk>/", snapshots.snapshot, name="snapshot"),
    path("training/checkpoints/<int:pk>/card/", checkpoints.checkpoint_card, name="checkpoint_card"),
    path("training/checkpoints/<int:pk>/promote/", checkpoints.checkpoint_promote, name="checkpoint_promote"),
    path("training/checkpoints/<int:pk>/answers/", checkpoints.checkpoint_answers, name="checkpoint_answers"),
]

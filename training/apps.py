from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = "Training"

    def ready(self) -> None:
        from jobs.subjects import name_subject

        name_subject("training.work.train", model="training.TrainingRun")
        name_subject("training.snapshots.build", model="training.Snapshot")
        name_subject("training.generating.generate", "training.generating.help_generate", model="training.Checkpoint")

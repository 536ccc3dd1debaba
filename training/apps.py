from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = "Training"

    def ready(self) -> None:
        from jobs.subjects import name_subject
        from judging.models import JudgeRun
        from judging.runs import crews, starting
        from training import promotion, runs, snapshots
        from training.models import Checkpoint, Snapshot, TrainingRun

        name_subject(runs.WORK, model=TrainingRun)
        name_subject(snapshots.WORK, model=Snapshot)
        name_subject(promotion.GENERATE, promotion.HELP_GENERATE, model=Checkpoint)
        name_subject(starting.WORK, crews.HELP, model=JudgeRun)

from django.apps import AppConfig


class JudgingConfig(AppConfig):
    name = "judging"
    verbose_name = "Judges"

    def ready(self) -> None:
        from annotation import gold_rule, ranks, reveal, verdict_store
        from jobs.subjects import name_subject
        from judging.gold_of_exports import PolicyGold
        from judging.importing import Verdicts
        from judging.revealing import JudgesOfPair
        from judging.sureness import NewestRun

        verdict_store.register(Verdicts())
        gold_rule.register(PolicyGold())
        reveal.register(JudgesOfPair())
        ranks.register(NewestRun())
        name_subject("judging.work.judge_pairs", "judging.work.help_run", model="judging.JudgeRun")

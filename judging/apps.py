from django.apps import AppConfig


class JudgingConfig(AppConfig):
    name = "judging"
    verbose_name = "Judges"

    def ready(self) -> None:
        from annotation import gold_rule, ranks, reveal, verdict_store
        from judging.gold_of_exports import PolicyGold
        from judging.importing import Verdicts
        from judging.revealing import JudgesOfPair
        from judging.sureness import NewestRun

        verdict_store.register(Verdicts())
        gold_rule.register(PolicyGold())
        reveal.register(JudgesOfPair())
        ranks.register(NewestRun())

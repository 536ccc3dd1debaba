"""Print the numbers that the leaderboard shows."""

import json
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from annotation.bootstrap import RESAMPLES
from annotation.models import Dataset
from judging.scores.altest import EPSILON
from judging.scores.as_json import scores_json
from judging.scores.as_table import scores_table
from judging.scores.policies import PRESETS, UnknownPolicyError, policy_named
from judging.scores.scoring import scores_of


class Command(BaseCommand):
    help = (
        "Agreement of people and judges on a dataset, under a policy. docs/statistics.md says what each number means."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", metavar="NAME", help="The dataset's name.")
        parser.add_argument(
            "--policy",
            default="default",
            help=f"{', '.join(PRESETS)}, or four rules joined by dots: gold.no-gold.invalid.conflict.",
        )
        parser.add_argument(
            "--epsilon", type=float, default=EPSILON, help="Of the alternative annotator test; 0.2 experts, 0.1 crowd."
        )
        parser.add_argument("--resamples", type=int, default=RESAMPLES, help="Bootstrap resamples, at least 100.")
        parser.add_argument("--seed", type=int, default=0, help="Of the bootstrap.")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: object, **options: object) -> None:  # noqa: ARG002 - Django's signature
        if not 100 <= options["resamples"] <= 1_000_000:
            raise CommandError("--resamples must be from 100 to 1,000,000: fewer give no interval worth the name.")
        if not 0 <= options["epsilon"] < 1:
            raise CommandError("--epsilon must be at least 0 and less than 1; 0.2 is usual for experts.")
        try:
            policy = policy_named(options["policy"])
        except UnknownPolicyError as error:
            raise CommandError(str(error)) from error
        scores = scores_of(
            dataset=_dataset(options["dataset"]),
            policy=policy,
            epsilon=options["epsilon"],
            resamples=options["resamples"],
            seed=options["seed"],
        )
        found = scores_json(scores)
        as_json = options["format"] == "json"
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) if as_json else scores_table(found))


def _dataset(slug: str) -> Dataset:
    try:
        return Dataset.objects.get(slug=slug)
    except Dataset.DoesNotExist:
        known = ", ".join(Dataset.objects.values_list("slug", flat=True)) or "none yet: import one"
        raise CommandError(f"There is no dataset called '{slug}'. There are: {known}.") from None

"""How sure a judge is of a pair: what people label first where a dataset's order asks for it."""

from annotation.dataset_settings import rearrange
from annotation.models import Dataset
from judging.models import JudgeRun, Verdict

# The margin between the two likeliest of 1, 2 and tie: 0 for a toss-up, 1 for certainty. Of both orders the mean, in
# which a judge that changes its mind with the order is not sure.
_MARGIN = """
SELECT pair_id, (SELECT max(p) - (array_agg(p ORDER BY p DESC))[2] FROM unnest(ARRAY[one, two, tie]) p) AS sureness
  FROM (SELECT pair_id, avg(p_1) AS one, avg(p_2) AS two, avg(p_tie) AS tie FROM judging_verdict
         WHERE run_id = {run:d} AND pair_id BETWEEN %(first)s AND %(last)s AND p_1 IS NOT NULL
         GROUP BY pair_id) mean
"""


class NewestRun:
    """For annotation.ranks: by the newest run over the dataset that has probabilities."""

    def query(self, *, dataset: Dataset) -> str | None:
        runs = JudgeRun.objects.filter(dataset=dataset).order_by("-created_at", "-pk").values_list("pk", flat=True)
        told = (run for run in runs if Verdict.objects.filter(run=run, p_1__isnull=False).exists())
        run = next(told, None)
        return None if run is None else _MARGIN.format(run=run)


def follow(dataset: Dataset) -> None:
    """A judge has something new to say: let the order follow, where it goes by that."""
    if Dataset.objects.filter(pk=dataset.pk, pair_order=Dataset.PairOrder.UNCERTAIN).exists():
        rearrange(dataset=dataset)

"""What the rows alone say against a label: its responses are the same or empty, or the other order says something else.

Queries of a run, {run}, over the verdicts of the given order, for the funnel's filters and for audits of suspicious
labels: each gives id, pair_id and choice of a verdict, one a pair.
"""

# ruff: noqa: S608 - the statements are put together of the texts in this file.

WITH_TEXTS = (
    "FROM judging_verdict v JOIN annotation_pair pair ON pair.id = v.pair_id"
    " JOIN annotation_response one ON one.id = pair.response_1_id"
    " JOIN annotation_response two ON two.id = pair.response_2_id WHERE v.run_id = {run} AND NOT v.swapped"
)


def _is_empty(response: str) -> str:
    return f"btrim({response}.text, E' \\t\\r\\n') = ''"


IDENTICAL = f"SELECT v.id, v.pair_id, v.choice {WITH_TEXTS} AND one.text_hash = two.text_hash"

# one and two: whether response 1 and response 2 are empty.
EMPTY = (
    f"SELECT * FROM (SELECT v.id, v.pair_id, v.choice, {_is_empty('one')} AS one, {_is_empty('two')} AS two"
    f" {WITH_TEXTS}) AS texts WHERE one OR two"
)

# turned: the choice in the other order.
CONFLICT = (
    "SELECT v.id, v.pair_id, v.choice, turned.choice AS turned FROM judging_verdict v JOIN judging_verdict turned"
    " ON turned.run_id = v.run_id AND turned.pair_id = v.pair_id AND turned.swapped"
    " WHERE v.run_id = {run} AND NOT v.swapped AND v.choice <> turned.choice"
)

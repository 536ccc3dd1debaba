"""Who labels which pair next. A claim is a lease on one slot; the database sees to it that no two people share one.

Annotators go through a dataset by ascending rank (annotation/ranks.py) and pair id, each from where they last were, so
that pairs are completed one after the other and a claim costs the same after a hundred thousand labels as after one.
What is out of turn has a rank below zero and comes first: claims that ran out, slots that a split asked for. What came
free behind an annotator's back (a pair that somebody passed on, slots that were added) is found when nothing is ahead.

Where the order is shuffled, ranks are a shuffle of the pairs, closed to a ring, and each annotator begins at a place of
their own, drawn from a seed that is theirs and the dataset's: one index serves everybody. A permutation of one's own
would need an index of one's own, or sorting what is free for every claim.
"""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from random import Random

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from annotation import prepared
from annotation.models import Dataset, Skip, Slot, User
from annotation.ranks import RING

# ruff: noqa: S608 - the only names put into the statements are those of a model's columns.

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)

# The scalar look-ups with IS NULL say the same as NOT EXISTS, which the planner would turn into a join over everything
# that the annotator ever labelled.
_NOT_MET = """(SELECT id FROM annotation_slot own WHERE own.pair_id = s.pair_id AND annotator_id = %(user)s) IS NULL
        AND (SELECT id FROM annotation_skip own WHERE own.pair_id = s.pair_id AND annotator_id = %(user)s) IS NULL"""
_FREE = f"SELECT id FROM annotation_slot s WHERE dataset_id = %(dataset)s AND state = 'free' AND {_NOT_MET}"
_TAKE_FIRST = "ORDER BY rank, pair_id LIMIT 1 FOR UPDATE SKIP LOCKED"

# Where the annotator is: the furthest of their latest twenty claims since ranks were last made anew. Twenty, because a
# pair that was passed on and came back may lie far behind. What they took out of turn says nothing.
_LATEST = """
    SELECT rank, pair_id FROM (
        SELECT rank, pair_id FROM annotation_slot
         WHERE annotator_id = %(user)s AND dataset_id = %(dataset)s AND claimed_at > %(ranked_at)s
         ORDER BY claimed_at DESC LIMIT 20) latest
     WHERE rank >= 0"""

# One after the other.
_IN_LINE = f"""
    ({_FREE} AND rank >= 0
        AND (rank, pair_id) > (
            SELECT rank, pair_id FROM ({_LATEST} UNION ALL SELECT -1, 0) position
             ORDER BY rank DESC, pair_id DESC LIMIT 1)
     {_TAKE_FIRST})"""

# Round the ring from one's own place: on from where one is, to its end, from its beginning to one's own place; then the
# same on the next ring that has something free.
_IN_RING = f"""
    ({_FREE} AND rank > (SELECT rank FROM at) AND rank < (SELECT upto FROM at) {_TAKE_FIRST}),
    ({_FREE} AND rank >= (SELECT ring FROM at) AND rank < (SELECT again_upto FROM at) {_TAKE_FIRST}),
    ({_FREE} AND rank >= (SELECT ring + %(place)s FROM next) AND rank < (SELECT ring + {RING} FROM next) {_TAKE_FIRST}),
    ({_FREE} AND rank >= (SELECT ring FROM next) AND rank < (SELECT ring + %(place)s FROM next) {_TAKE_FIRST})"""
_PLACES = f"""
WITH at AS (
    SELECT rank, rank / {RING} * {RING} AS ring, again,
           CASE WHEN again THEN rank / {RING} * {RING} + %(place)s ELSE (rank / {RING} + 1) * {RING} END AS upto,
           CASE WHEN again THEN 0 ELSE rank / {RING} * {RING} + %(place)s END AS again_upto
      FROM (SELECT rank, rank %% {RING} < %(place)s AS again FROM ({_LATEST}) latest
             ORDER BY rank / {RING} DESC, rank %% {RING} < %(place)s DESC, rank DESC LIMIT 1) position
), next AS (
    SELECT min(rank) / {RING} * {RING} AS ring FROM annotation_slot
     WHERE dataset_id = %(dataset)s AND state = 'free' AND rank >= COALESCE((SELECT ring + {RING} FROM at), 0)
)"""

# One statement, so one round trip and one snapshot. COALESCE stops at the first branch that finds a slot: the open
# claim, one of somebody else's that ran out, what is out of turn, the next free one ahead. Out of turn no more than
# fifty are looked at: where people have met them all, they cost little, and are found by others.
# The quota is asked here, because here is where a second tab cannot come in between: nobody has two claims.
_CLAIM = """
UPDATE annotation_slot
   SET state = 'claimed', annotator_id = %(user)s, expires_at = %(expires_at)s,
       claimed_at = CASE WHEN annotator_id = %(user)s THEN claimed_at ELSE %(now)s END,
       rank = CASE WHEN annotator_id <> %(user)s THEN LEAST(rank, -1) ELSE rank END
 WHERE id = (SELECT CASE WHEN quota.labels IS NULL OR quota.labels > (
        SELECT count(*) FROM (SELECT FROM annotation_slot
                               WHERE annotator_id = %(user)s AND dataset_id = %(dataset)s AND state = 'done'
                               LIMIT quota.labels) given)
   THEN COALESCE(BRANCHES) END
  FROM (SELECT COALESCE((SELECT labels FROM annotation_quota
                          WHERE dataset_id = %(dataset)s AND annotator_id = %(user)s),
                        %(quota)s::int) AS labels) quota)
RETURNING COLUMNS
""".replace("COLUMNS", prepared.columns(Slot))
_FIRST_BRANCHES = f"""
    (SELECT id FROM annotation_slot
      WHERE annotator_id = %(user)s AND dataset_id = %(dataset)s AND state = 'claimed'
        FOR UPDATE),
    (SELECT id FROM annotation_slot s
      WHERE dataset_id = %(dataset)s AND state = 'claimed' AND expires_at < %(now)s AND {_NOT_MET}
      ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED),
    ({_FREE} AND id = ANY(ARRAY(
        SELECT id FROM annotation_slot WHERE dataset_id = %(dataset)s AND state = 'free' AND rank < 0
         ORDER BY rank, pair_id LIMIT 50))
     {_TAKE_FIRST}),"""
_CLAIM_IN_LINE = _CLAIM.replace("BRANCHES", _FIRST_BRANCHES + _IN_LINE)
_CLAIM_IN_RING = _PLACES + _CLAIM.replace("BRANCHES", _FIRST_BRANCHES + _IN_RING)

# Reads every free slot in the worst case (0.1 s of 900,000), once a round; here the planner's join is the right thing.
_CLAIM_ANYWHERE = _CLAIM.replace(
    "BRANCHES",
    """
    (SELECT id FROM annotation_slot s
      WHERE dataset_id = %(dataset)s AND state = 'free'
        AND NOT EXISTS (SELECT FROM annotation_slot own WHERE own.pair_id = s.pair_id AND annotator_id = %(user)s)
        AND NOT EXISTS (SELECT FROM annotation_skip own WHERE own.pair_id = s.pair_id AND annotator_id = %(user)s)
      ORDER BY rank, pair_id LIMIT 1 FOR UPDATE OF s SKIP LOCKED)""",
)


class NoClaimError(Exception):
    """The annotator has no open claim on this pair: it was never theirs, or it ran out and somebody else took it."""


def claim_next(*, user: User, dataset: Dataset) -> Slot | None:
    """The slot that the annotator is to fill now: their open claim, extended, else a new one.

    None if nothing is left for them, or their quota (annotation/pools.py) is reached. Asked twice without a label or a
    skip in between, it answers with the same slot.
    """
    ahead = _CLAIM_IN_RING if dataset.shuffled else _CLAIM_IN_LINE
    for last_try in (False, True):
        try:
            # What was left behind is looked for with a new plan each time: the best hangs on how much they labelled.
            slot = _claimed(prepared.cursor(), ahead, user, dataset) or _claimed(
                connection.cursor(), _CLAIM_ANYWHERE, user, dataset
            )
            if slot is None:
                # Only a quota keeps somebody from the claim that they hold.
                release(user=user, dataset=dataset)
            return slot
        except IntegrityError:
            # The same person asked twice at once, and the other request has just claimed: its slot is found next time.
            if last_try:
                raise
    return None


def _claimed(cursor: CursorWrapper, sql: str, user: User, dataset: Dataset) -> Slot | None:
    now = timezone.now()
    values = {
        "user": user.pk,
        "dataset": dataset.pk,
        "now": now,
        "expires_at": now + claim_lasts(dataset),
        "ranked_at": dataset.ranked_at or _NEVER,
        "quota": dataset.quota,
    }
    if dataset.shuffled:
        values["place"] = own_place(user=user, dataset=dataset)
    # A statement is a transaction by itself; only inside another one must a failure be undone apart.
    with transaction.atomic() if connection.in_atomic_block else nullcontext(), cursor:
        cursor.execute(sql, values)
        return prepared.instance(Slot, cursor.fetchone())


def claim_lasts(dataset: Dataset) -> timedelta:
    return timedelta(minutes=dataset.claim_minutes)


def own_place(*, user: User, dataset: Dataset) -> int:
    """Where on the ring of a shuffled dataset the annotator begins, the same each time."""
    return Random(f"{dataset.pk}:{user.pk}").randrange(RING)  # noqa: S311 - no secret


def extend_claim(*, user: User, dataset: Dataset) -> bool:
    """The annotator is at work on their claimed pair, or on what stands in front of it (annotation/mixing.py).

    From now on the claim, the only one that they have here, is theirs for as long as a new one is. False, and nothing
    changed, where they hold none. One that ran out and that nobody took is theirs again.
    """
    expires_at = timezone.now() + claim_lasts(dataset)
    return bool(Slot.objects.claimed_by(user).filter(dataset=dataset).update(expires_at=expires_at))


def skip(*, user: User, dataset: Dataset, pair_id: int, reason: str) -> None:
    """Pass the claimed pair on: the slot is free again, for anybody but this annotator. Skipping twice is once.

    Raises NoClaimError where the annotator holds no claim on the pair.
    """
    with transaction.atomic():
        if not Slot.objects.claimed_by(user).filter(dataset=dataset, pair=pair_id).set_free():
            if Skip.objects.filter(pair_id=pair_id, annotator=user).exists():
                return
            raise NoClaimError
        Skip.objects.create(pair_id=pair_id, annotator=user, reason=reason)


def release(*, user: User, dataset: Dataset | None = None) -> int:
    """Give open claims back, of one dataset or of all: what nobody looks at waits for nobody. How many there were."""
    claimed = Slot.objects.claimed_by(user)
    return (claimed.filter(dataset=dataset) if dataset else claimed).set_free()


def dataset_to_label(*, user: User) -> Dataset | None:
    """Where the annotator goes on: the dataset that they worked in last, else the first with something open to them."""
    datasets = list(Dataset.objects.labelled_by(user))
    latest = Slot.objects.filter(annotator=user, dataset__in=datasets, claimed_at__isnull=False)
    last = latest.order_by("-claimed_at").values_list("dataset", flat=True).first()
    datasets.sort(key=lambda dataset: dataset.pk != last)
    return next((d for d in datasets if Slot.objects.open_to(user=user, dataset=d).exists()), None)

"""Staged labels: what they contradict, and their way into the slots of their pairs."""

from dataclasses import dataclass

from django.db import connection

from annotation.importing.problems import Problems
from annotation.importing.telling import tell
from annotation.models import Role, User

_UNKNOWN = """
    SELECT min(line), annotator, count(*)
      FROM (SELECT line, annotator FROM staged_label UNION ALL SELECT line, annotator FROM staged_late) l
     WHERE NOT EXISTS (SELECT FROM annotation_user u WHERE u.username = l.annotator)
     GROUP BY annotator
"""
_TWO_CHOICES = """
    SELECT line, first_line, annotator, choice, first_choice FROM (
        SELECT line, annotator, choice, first_value(choice) OVER same AS first_choice,
               first_value(line) OVER same AS first_line
          FROM staged_label WINDOW same AS (PARTITION BY external_id, annotator ORDER BY line)) each
     WHERE choice <> first_choice
"""
_OTHER_CHOICE = """
    SELECT l.line, l.annotator, l.choice, label.choice
      FROM staged_label l
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = l.external_id
      JOIN annotation_user u ON u.username = l.annotator
      JOIN annotation_label label ON label.pair_id = pair.id AND label.annotator_id = u.id
     WHERE label.choice <> l.choice
"""
_TWO_RATIONALES = """
    SELECT line, first_line, annotator, rationale FROM (
        SELECT line, annotator, choice, rationale, first_value(choice) OVER same AS first_choice,
               first_value(rationale) OVER same AS first_rationale, first_value(line) OVER same AS first_line
          FROM staged_label WINDOW same AS (PARTITION BY external_id, annotator ORDER BY line)) each
     WHERE choice = first_choice AND rationale NOT IN ('', first_rationale)
"""
_OTHER_RATIONALE = """
    SELECT l.line, l.annotator, l.rationale
      FROM staged_label l
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = l.external_id
      JOIN annotation_user u ON u.username = l.annotator
      JOIN annotation_label label ON label.pair_id = pair.id AND label.annotator_id = u.id
     WHERE label.choice = l.choice AND l.rationale NOT IN ('', label.rationale)
"""
_OTHER_AGAIN = """
    SELECT l.line, l.annotator, l.again, again.choice
      FROM staged_label l
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = l.external_id
      JOIN annotation_user u ON u.username = l.annotator
      JOIN annotation_label label ON label.pair_id = pair.id AND label.annotator_id = u.id
      JOIN annotation_reconsideration again ON again.label_id = label.id
     WHERE again.choice <> l.again
"""
_OTHER_LATE = """
    SELECT l.line, l.annotator, l.choice, said.choice
      FROM staged_late l
      LEFT JOIN (SELECT pair.external_id, u.username AS annotator, late.choice, NULL AS line
                   FROM annotation_latedecision late
                   JOIN annotation_pair pair ON pair.id = late.pair_id AND pair.dataset_id = %(dataset)s
                   JOIN annotation_user u ON u.id = late.annotator_id
                  UNION ALL SELECT external_id, annotator, choice, line FROM staged_late) said
             USING (external_id, annotator)
     WHERE said.choice <> l.choice AND (said.line IS NULL OR said.line <= l.line)
"""
_NO_GUIDELINE = """
    SELECT l.line, l.guideline FROM staged_label l
     WHERE l.guideline IS NOT NULL AND NOT EXISTS (
           SELECT FROM annotation_guideline g WHERE g.dataset_id = %(dataset)s AND g.number = l.guideline)
"""
# What is free now stays so until this transaction ends: whoever claims passes over locked slots.
_LOCK_SLOTS = """
    SELECT count(*) FROM (
        SELECT slot.id FROM annotation_slot slot
          JOIN annotation_pair pair ON pair.id = slot.pair_id AND pair.dataset_id = %(dataset)s
         WHERE slot.state <> 'done' AND pair.external_id IN (SELECT external_id FROM staged_label)
         ORDER BY slot.id FOR UPDATE OF slot) locked
"""
# A label needs a slot unless its annotator has one. Room is what is wanted for a pair less what others hold.
_TOO_MANY = """
    SELECT wanted.line, wanted.labels, %(labels_per_pair)s - COALESCE(taken.slots, 0)
      FROM (SELECT min(l.line) AS line, pair.id AS pair_id, count(DISTINCT l.annotator) AS labels
              FROM staged_label l
              LEFT JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = l.external_id
              LEFT JOIN annotation_user u ON u.username = l.annotator
              LEFT JOIN annotation_slot own ON own.pair_id = pair.id AND own.annotator_id = u.id
             WHERE own.id IS NULL
             GROUP BY l.external_id, pair.id) wanted
      LEFT JOIN (SELECT slot.pair_id, count(*) AS slots FROM annotation_slot slot
                  WHERE slot.dataset_id = %(dataset)s
                    AND (slot.state = 'done' OR (slot.state = 'claimed' AND slot.expires_at >= now()))
                  GROUP BY slot.pair_id) taken ON taken.pair_id = wanted.pair_id
     WHERE wanted.labels > %(labels_per_pair)s - COALESCE(taken.slots, 0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where labels go. `dataset_id` is 0 for a dataset that is not made yet."""

    dataset_id: int
    labels_per_pair: int
    replace: bool
    create_annotators: bool


def check_labels(*, target: Target, problems: Problems) -> None:
    """Tell what the staged labels contradict: each other, the people, the labels that are there, the room for them."""
    values = {"dataset": target.dataset_id, "labels_per_pair": target.labels_per_pair}
    if not target.create_annotators:
        tell(_UNKNOWN, values, problems, _say_unknown)
    tell(_TWO_CHOICES, values, problems, _say_two_choices)
    tell(_TWO_RATIONALES, values, problems, _say_two_rationales, is_error=False)
    if not target.replace:
        tell(_OTHER_CHOICE, values, problems, _say_other_choice)
        tell(_OTHER_RATIONALE, values, problems, _say_other_rationale, is_error=False)
    tell(_OTHER_AGAIN, values, problems, _say_other_again)
    tell(_OTHER_LATE, values, problems, _say_other_late)
    tell(_NO_GUIDELINE, values, problems, _say_no_guideline, is_error=False)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_SLOTS, values)
    tell(_TOO_MANY, values, problems, lambda wanted, room: _say_too_many(wanted, room, target.labels_per_pair))


def _say_unknown(annotator: str, labels: int) -> tuple[str, str, str]:
    message = (
        f"There is no annotator called {annotator} ({labels:,} labels in this file). Make the account, or import with "
        "Create annotators (--create-annotators), which makes accounts that nobody can sign in to yet."
    )
    return "labels", message, annotator


def _say_two_choices(first_line: int, annotator: str, choice: int, first: int) -> tuple[str, str, str]:
    message = f"{annotator} chose {_written(choice)} here, but {_written(first)} in line {first_line}. Keep one."
    return "labels", message, _written(choice)


def _say_two_rationales(first_line: int, annotator: str, rationale: str) -> tuple[str, str, str]:
    message = f"{annotator} gives another rationale in line {first_line}, which is the one that is kept."
    return "labels.rationale", message, rationale


def _say_other_rationale(annotator: str, rationale: str) -> tuple[str, str, str]:
    message = (
        f"{annotator} has a label on this pair with another rationale, which is kept. Import with Replace (--replace) "
        "to take this one; the earlier one is kept in the label's history."
    )
    return "labels.rationale", message, rationale


def _say_other_choice(annotator: str, choice: int, stored: int) -> tuple[str, str, str]:
    message = (
        f"{annotator} chose {_written(stored)} for this pair, not {_written(choice)}. Import with Replace (--replace) "
        "to take the new choice; the earlier one is kept in the label's history."
    )
    return "labels", message, _written(choice)


def _say_other_again(annotator: str, choice: int, stored: int) -> tuple[str, str, str]:
    message = (
        f"After the reveal {annotator} said {_written(stored)} of this pair, not {_written(choice)}. What was said "
        "then is never replaced: leave it out."
    )
    return "labels.reconsidered", message, _written(choice)


def _say_other_late(annotator: str, choice: int, stored: int) -> tuple[str, str, str]:
    message = (
        f"The late decision of {annotator} on this pair is {_written(stored)}, not {_written(choice)}. It is never "
        "replaced: leave it out."
    )
    return "late_decisions", message, _written(choice)


def _say_no_guideline(number: int) -> tuple[str, str, int]:
    message = f"This dataset has no revision {number} of its guidelines. The label is kept without one."
    return "labels.guideline", message, number


def _say_too_many(wanted: int, room: int, labels_per_pair: int) -> tuple[str, str, int]:
    message = (
        f"{wanted} more labels for this pair, but room for {max(room, 0)}: the dataset has {labels_per_pair} labels a "
        f"pair. Import with at least {labels_per_pair + wanted - room} human labels wanted for each pair, under More "
        "choices or by --labels-per-pair."
    )
    return "labels", message, wanted


def _written(choice: int) -> str:
    return "tie" if choice == 0 else str(choice)


def create_annotators() -> list[str]:
    """Make inactive accounts without a password for the staged annotators that have none; their names."""
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN + " ORDER BY annotator")
        names = [name for _, name, _ in cursor.fetchall()]
    users = [User(username=name, role=Role.ANNOTATOR, is_active=False) for name in names]
    for user in users:
        user.set_unusable_password()
    User.objects.bulk_create(users)
    return names


_RESOLVED = """
    CREATE TEMPORARY TABLE resolved_label ON COMMIT DROP AS
    SELECT DISTINCT ON (pair.id, u.id)
           pair.id AS pair_id, u.id AS annotator_id, label.id AS label_id, g.id AS guideline_id,
           l.line, l.choice, l.swapped, l.rationale, l.flag, l.seconds, l.at, l.changed_at, l.confidence,
           l.aspects, l.revealed_at, l.audited_at, l.again, l.again_rationale, l.again_at,
           label.choice <> l.choice OR (l.rationale <> '' AND l.rationale <> label.rationale) AS differs
      FROM staged_label l
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = l.external_id
      JOIN annotation_user u ON u.username = l.annotator
      LEFT JOIN annotation_label label ON label.pair_id = pair.id AND label.annotator_id = u.id
      LEFT JOIN annotation_guideline g ON g.dataset_id = %(dataset)s AND g.number = l.guideline
     ORDER BY pair.id, u.id, l.line
"""
_FILL_OWN_SLOTS = """
    UPDATE annotation_slot slot SET state = 'done', expires_at = NULL, swapped = COALESCE(l.swapped, slot.swapped)
      FROM resolved_label l
     WHERE l.label_id IS NULL AND slot.pair_id = l.pair_id AND slot.annotator_id = l.annotator_id
"""
_FILL_SLOTS = """
    WITH wanted AS (
        SELECT l.*, row_number() OVER (PARTITION BY l.pair_id ORDER BY l.line, l.annotator_id) AS place
          FROM resolved_label l
         WHERE l.label_id IS NULL AND NOT EXISTS (
               SELECT FROM annotation_slot own WHERE own.pair_id = l.pair_id AND own.annotator_id = l.annotator_id)),
    room AS (
        SELECT slot.id, slot.pair_id,
               row_number() OVER (PARTITION BY slot.pair_id ORDER BY slot.state DESC, slot.number) AS place
          FROM annotation_slot slot
         WHERE slot.pair_id IN (SELECT pair_id FROM wanted)
           AND (slot.state = 'free' OR (slot.state = 'claimed' AND slot.expires_at < now())))
    UPDATE annotation_slot slot
       SET state = 'done', annotator_id = wanted.annotator_id, claimed_at = NULL, expires_at = NULL,
           swapped = COALESCE(wanted.swapped, slot.swapped)
      FROM wanted JOIN room USING (pair_id, place)
     WHERE slot.id = room.id
"""
_INSERT = """
    INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, flag, seconds,
                                  guideline_id, created_at, changed_at, confidence, aspects, revealed_at, audited_at)
    SELECT pair_id, annotator_id, choice, swapped, rationale, flag, seconds, guideline_id,
           COALESCE(at, now()), COALESCE(changed_at, at, now()), confidence, aspects, revealed_at, audited_at
      FROM resolved_label WHERE label_id IS NULL ORDER BY line, annotator_id
"""
_INSERT_AGAIN = """
    INSERT INTO annotation_reconsideration (label_id, choice, rationale, created_at)
    SELECT label.id, l.again, l.again_rationale, COALESCE(l.again_at, now())
      FROM resolved_label l
      JOIN annotation_label label ON label.pair_id = l.pair_id AND label.annotator_id = l.annotator_id
     WHERE l.again IS NOT NULL
        ON CONFLICT (label_id) DO NOTHING
"""
_INSERT_LATE = """
    INSERT INTO annotation_latedecision (pair_id, annotator_id, choice, shown_swapped, rationale, seconds, created_at)
    SELECT pair.id, u.id, l.choice, l.swapped, l.rationale, l.seconds, COALESCE(l.at, now())
      FROM staged_late l
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = l.external_id
      JOIN annotation_user u ON u.username = l.annotator
     ORDER BY l.line
        ON CONFLICT (pair_id, annotator_id) DO NOTHING
"""
_KEEP_REVISIONS = """
    INSERT INTO annotation_labelrevision (label_id, choice, rationale, flag, seconds, decided_at, replaced_at)
    SELECT label.id, label.choice, label.rationale, label.flag, label.seconds, label.changed_at, now()
      FROM annotation_label label JOIN resolved_label l ON l.label_id = label.id
     WHERE l.differs
"""
_REPLACE = """
    UPDATE annotation_label label
       SET choice = l.choice, rationale = l.rationale, flag = l.flag, seconds = l.seconds,
           shown_swapped = COALESCE(l.swapped, label.shown_swapped),
           guideline_id = COALESCE(l.guideline_id, label.guideline_id), changed_at = COALESCE(l.changed_at, now()),
           confidence = l.confidence, aspects = l.aspects
      FROM resolved_label l
     WHERE l.label_id = label.id AND l.differs
"""


def insert_labels(*, target: Target) -> dict[str, int]:
    """Store the staged labels in the slots of their pairs, which must exist. What differs is replaced if wanted."""
    values = {"dataset": target.dataset_id}
    with connection.cursor() as cursor:

        def run(sql: str) -> int:
            cursor.execute(sql, values)
            return cursor.rowcount

        cursor.execute("DROP TABLE IF EXISTS resolved_label")
        resolved = run(_RESOLVED)
        cursor.execute("ANALYZE resolved_label")
        run(_FILL_OWN_SLOTS)
        run(_FILL_SLOTS)
        new = run(_INSERT)
        changed = 0
        if target.replace:
            run(_KEEP_REVISIONS)
            changed = run(_REPLACE)
        run(_INSERT_AGAIN)
        run(_INSERT_LATE)
    return {"new": new, "known": resolved - new - changed, "changed": changed}

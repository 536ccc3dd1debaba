"""Staged pairs: what is wrong with them as a set, and their way into the corpus."""

from django.db import connection

from annotation.importing.problems import Problems
from annotation.importing.telling import tell

_DIFFERENT_TEXTS = """
    SELECT line, first_line, external_id FROM (
        SELECT line, external_id, content, first_value(content) OVER same AS first_content,
               first_value(line) OVER same AS first_line
          FROM staged_pair WINDOW same AS (PARTITION BY external_id ORDER BY line)) each
     WHERE content <> first_content
"""
_TWO_IDS = """
    SELECT line, first_line, external_id, first_id FROM (
        SELECT line, external_id, first_value(external_id) OVER same AS first_id,
               first_value(line) OVER same AS first_line
          FROM staged_pair WINDOW same AS (PARTITION BY content ORDER BY line)) each
     WHERE external_id <> first_id
"""
_OTHER_IN_DATASET = """
    SELECT s.line, s.external_id,
           concat_ws(', ',
               CASE WHEN prompt.content_hash <> s.prompt_hash THEN 'instruction, input, source or reference' END,
               CASE WHEN r1.text_hash <> s.hash_1 THEN 'response1' END,
               CASE WHEN r2.text_hash <> s.hash_2 THEN 'response2' END,
               CASE WHEN g1.name IS DISTINCT FROM s.generator_1 THEN 'model1' END,
               CASE WHEN g2.name IS DISTINCT FROM s.generator_2 THEN 'model2' END)
      FROM staged_pair s
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = s.external_id
      JOIN annotation_prompt prompt ON prompt.id = pair.prompt_id
      JOIN annotation_response r1 ON r1.id = pair.response_1_id
      JOIN annotation_response r2 ON r2.id = pair.response_2_id
      LEFT JOIN annotation_generator g1 ON g1.id = r1.generator_id
      LEFT JOIN annotation_generator g2 ON g2.id = r2.generator_id
     WHERE (prompt.content_hash, r1.text_hash, r2.text_hash) <> (s.prompt_hash, s.hash_1, s.hash_2)
        OR g1.name IS DISTINCT FROM s.generator_1 OR g2.name IS DISTINCT FROM s.generator_2
"""
_OTHER_ID_IN_DATASET = """
    SELECT s.line, s.external_id, pair.external_id
      FROM staged_pair s
      JOIN annotation_prompt prompt ON prompt.content_hash = s.prompt_hash
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.prompt_id = prompt.id
      JOIN annotation_response r1 ON r1.id = pair.response_1_id AND r1.text_hash = s.hash_1
      JOIN annotation_response r2 ON r2.id = pair.response_2_id AND r2.text_hash = s.hash_2
      LEFT JOIN annotation_generator g1 ON g1.id = r1.generator_id
      LEFT JOIN annotation_generator g2 ON g2.id = r2.generator_id
     WHERE pair.external_id <> s.external_id
       AND g1.name IS NOT DISTINCT FROM s.generator_1 AND g2.name IS NOT DISTINCT FROM s.generator_2
"""
_OTHER_METADATA = """
    SELECT s.line, s.metadata
      FROM staged_pair s
      JOIN annotation_pair pair ON pair.dataset_id = %(dataset)s AND pair.external_id = s.external_id
     WHERE pair.metadata <> s.metadata::jsonb
"""
_NO_SUCH_PAIR = """
    SELECT min(v.line), v.external_id
      FROM staged_verdict v
     WHERE NOT EXISTS (SELECT FROM staged_pair s WHERE s.external_id = v.external_id)
       AND NOT EXISTS (
           SELECT FROM annotation_pair p WHERE p.dataset_id = %(dataset)s AND p.external_id = v.external_id)
     GROUP BY v.line, v.external_id
"""
# Tables of which PostgreSQL takes a page to hold less than one row. A vacuum in the middle of an import leaves that
# behind: it does not see the import's rows, and until the next count every join is planned as if there were none.
_MISCOUNTED = """
    SELECT oid::regclass::text FROM pg_class
     WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
       AND pg_relation_size(oid) > 8 * 8192 AND reltuples < pg_relation_size(oid) / 8192
"""


def check_pairs(*, dataset_id: int | None, slug: str, replace: bool, references: int, problems: Problems) -> None:
    """Tell what the staged pairs contradict: each other, or the dataset (None where it does not exist yet)."""
    values = {"dataset": dataset_id or 0}
    if dataset_id is not None:
        _count_anew()
    tell(_DIFFERENT_TEXTS, values, problems, _say_different_texts)
    tell(_TWO_IDS, values, problems, _say_two_ids)
    if references:
        tell(_NO_SUCH_PAIR, values, problems, lambda each: _say_no_such_pair(each, slug))
    if dataset_id is None:
        return
    tell(_OTHER_IN_DATASET, values, problems, lambda each, what: _say_other_in_dataset(each, what, slug))
    tell(_OTHER_ID_IN_DATASET, values, problems, lambda each, known: _say_other_id(each, known, slug))
    if not replace:
        tell(_OTHER_METADATA, values, problems, _say_other_metadata, is_error=False)


def _count_anew() -> None:
    """What is known is joined with what is staged: with wrong counts that may take hours."""
    with connection.cursor() as cursor:
        cursor.execute(_MISCOUNTED)
        for (name,) in cursor.fetchall():
            cursor.execute(f"ANALYZE (SKIP_LOCKED) {name}")


def _say_different_texts(first_line: int, external_id: str) -> tuple[str, str, str]:
    message = f"Line {first_line} has the same id with other texts or models. Give one of the two another id."
    return "id", message, external_id


def _say_two_ids(first_line: int, external_id: str, first_id: str) -> tuple[str, str, str]:
    message = f"Line {first_line} is the same pair under the id {first_id}. Remove one of the two."
    return "id", message, external_id


def _say_no_such_pair(external_id: str, slug: str) -> tuple[str, str, str]:
    message = f"The dataset {slug} has no pair with this id. Import its pairs first, or choose another dataset."
    return "id", message, external_id


def _say_other_in_dataset(external_id: str, what: str, slug: str) -> tuple[str, str, str]:
    message = (
        f"The dataset {slug} has this id already, with another {what}. "
        "Pairs don't change: give this one another id, or import it into another dataset."
    )
    return "id", message, external_id


def _say_other_id(external_id: str, known: str, slug: str) -> tuple[str, str, str]:
    return "id", f"The dataset {slug} has this pair already, under the id {known}. Use that id here.", external_id


def _say_other_metadata(metadata: str) -> tuple[str, str, str]:
    message = "The pair is known with other extra keys, which are kept. Import with Replace to take these instead."
    return "metadata", message, metadata


# Pairs are stored in the order of the file, which is that in which people meet them.
_INSERT_PAIRS = """
    INSERT INTO annotation_pair (dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT %(dataset)s, s.prompt_id, s.response_1_id, s.response_2_id, s.external_id, s.metadata::jsonb
      FROM (SELECT DISTINCT ON (external_id) * FROM staged_pair ORDER BY external_id, line) s
     WHERE NOT EXISTS (
           SELECT FROM annotation_pair p WHERE p.dataset_id = %(dataset)s AND p.external_id = s.external_id)
     ORDER BY s.line
"""
_REPLACE_METADATA = """
    UPDATE annotation_pair pair SET metadata = s.metadata::jsonb FROM staged_pair s
     WHERE pair.dataset_id = %(dataset)s AND pair.external_id = s.external_id AND pair.metadata <> s.metadata::jsonb
"""


def insert_pairs(*, dataset_id: int, replace: bool) -> dict[str, int]:
    """Store the staged pairs that the dataset does not have. Returns how many were new, known, changed."""
    values = {"dataset": dataset_id}
    with connection.cursor() as cursor:
        changed = 0
        if replace:
            cursor.execute(_REPLACE_METADATA, values)
            changed = cursor.rowcount
        cursor.execute(_INSERT_PAIRS, values)
        new = cursor.rowcount
        cursor.execute("SELECT count(DISTINCT external_id) FROM staged_pair")
        known = cursor.fetchone()[0] - new
    return {"new": new, "known": known - changed, "changed": changed}

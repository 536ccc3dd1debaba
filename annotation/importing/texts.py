"""A batch of staged rows' prompts, models and responses, stored while the next batch is being read.

They are told apart by their content and belong to no dataset, so nothing else in the file can contradict them; the
pairs that join them wait until all of it is checked. What is left of a batch, staged_pair, is narrow and has their ids.
"""

from typing import Any

import psycopg

COLUMNS = """
    line int, external_id text, content uuid, prompt_hash uuid, hash_1 uuid, hash_2 uuid,
    generator_1 text, generator_2 text, metadata text
"""
TEXTS = "instruction text, input text, source text, reference text, response_1 text, response_2 text"
IDS = "prompt_id bigint, response_1_id bigint, response_2_id bigint"

_INSERT_PROMPTS = """
    INSERT INTO annotation_prompt (instruction, input, source, reference, content_hash)
    SELECT instruction, input, source, reference, prompt_hash
      FROM (SELECT DISTINCT ON (prompt_hash) * FROM staged_text ORDER BY prompt_hash, line) s
     WHERE NOT EXISTS (SELECT FROM annotation_prompt p WHERE p.content_hash = s.prompt_hash)
     ORDER BY line
        ON CONFLICT (content_hash) DO NOTHING
"""
_INSERT_GENERATORS = """
    INSERT INTO annotation_generator (name)
    SELECT name FROM (SELECT generator_1 AS name FROM staged_text UNION SELECT generator_2 FROM staged_text) each
     WHERE name IS NOT NULL AND NOT EXISTS (SELECT FROM annotation_generator g WHERE g.name = each.name)
     ORDER BY name
        ON CONFLICT (name) DO NOTHING
"""
# A response that was there before is looked up; one that is stored here tells its id.
_INSERT_RESPONSES = """
    WITH placed AS MATERIALIZED (
        SELECT s.*, prompt.id AS prompt_id, g1.id AS generator_1_id, g2.id AS generator_2_id
          FROM staged_text s
          JOIN annotation_prompt prompt ON prompt.content_hash = s.prompt_hash
          LEFT JOIN annotation_generator g1 ON g1.name = s.generator_1
          LEFT JOIN annotation_generator g2 ON g2.name = s.generator_2
    ), stored AS (
        INSERT INTO annotation_response (prompt_id, generator_id, text, text_hash)
        SELECT placed.prompt_id, side.generator_id, side.text, side.hash
          FROM placed
         CROSS JOIN LATERAL (VALUES (generator_1_id, hash_1, response_1), (generator_2_id, hash_2, response_2))
            AS side(generator_id, hash, text)
            ON CONFLICT (prompt_id, generator_id, text_hash) DO NOTHING
        RETURNING id, prompt_id, generator_id, text_hash
    ), kept AS (
        INSERT INTO staged_pair
        SELECT p.line, p.external_id, p.content, p.prompt_hash, p.hash_1, p.hash_2, p.generator_1, p.generator_2,
               p.metadata, p.prompt_id,
               COALESCE(new_1.id, (SELECT r.id FROM annotation_response r
                                    WHERE r.prompt_id = p.prompt_id AND r.text_hash = p.hash_1
                                      AND r.generator_id IS NOT DISTINCT FROM p.generator_1_id)),
               COALESCE(new_2.id, (SELECT r.id FROM annotation_response r
                                    WHERE r.prompt_id = p.prompt_id AND r.text_hash = p.hash_2
                                      AND r.generator_id IS NOT DISTINCT FROM p.generator_2_id))
          FROM placed p
          LEFT JOIN stored new_1 ON new_1.prompt_id = p.prompt_id AND new_1.text_hash = p.hash_1
           AND new_1.generator_id IS NOT DISTINCT FROM p.generator_1_id
          LEFT JOIN stored new_2 ON new_2.prompt_id = p.prompt_id AND new_2.text_hash = p.hash_2
           AND new_2.generator_id IS NOT DISTINCT FROM p.generator_2_id
    )
    SELECT count(*) FROM stored
"""
_KEEP_WITHOUT_TEXTS = """
    INSERT INTO staged_pair
    SELECT line, external_id, content, prompt_hash, hash_1, hash_2, generator_1, generator_2, metadata FROM staged_text
"""


def store_texts(cursor: psycopg.Cursor[Any]) -> tuple[int, int]:
    """Store what the rows of staged_text need and move these to staged_pair. Returns new prompts, new responses."""
    prompts = cursor.execute(_INSERT_PROMPTS).rowcount
    cursor.execute(_INSERT_GENERATORS)
    (responses,) = cursor.execute(_INSERT_RESPONSES).fetchone() or (0,)
    cursor.execute("TRUNCATE staged_text")
    return prompts, responses


def keep_without_texts(cursor: psycopg.Cursor[Any]) -> None:
    """Move the rows of staged_text to staged_pair for the checks alone: the import has failed already."""
    cursor.execute(_KEEP_WITHOUT_TEXTS)
    cursor.execute("TRUNCATE staged_text")

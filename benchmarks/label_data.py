"""The pairs and labels that benchmarks/web.py measures on: made by the database, the same each time."""

from pathlib import Path

import psycopg

from config.embedded import database_url

LABELS_PER_PAIR = 3
VETERAN_LABELS = 100_000

# Words of made-up letters, as many as the PandaLM test set has: about 100 characters of instruction, now and then an
# input, two responses of 40 to 650 characters. Every tenth response has a list and code in it. No two are alike.
_PAIRS = """
CREATE FUNCTION pg_temp.words(seed text, number int) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(translate(left(md5(seed || k), 2 + k * 7 %% 8), '0123456789', 'ghijklmnop'), ' ')
      FROM generate_series(1, number) k $$;
CREATE FUNCTION pg_temp.response(seed text, number int) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.words(seed, 7 + number %% 1000 * 7919 %% 100)
        || CASE WHEN number %% 10 = 0
                THEN E'\\n\\n- one\\n- **two**\\n\\n```python\\nprint("x < y")\\n```\\n' ELSE '' END $$;
WITH dataset AS (
    INSERT INTO annotation_dataset (slug, purpose, labels_per_pair, everyone_labels, created_at)
    VALUES (%(slug)s, 'test', %(labels)s, true, now()) RETURNING id
), guideline AS (
    INSERT INTO annotation_guideline (dataset_id, number, text, created_at)
    SELECT id, 1, E'Prefer the response that **follows the instruction**.\\n\\n- Facts first.\\n- Then style.', now()
      FROM dataset
), prompt AS (
    INSERT INTO annotation_prompt (instruction, input, source, reference, content_hash)
    SELECT pg_temp.words(%(slug)s || i, 16), CASE WHEN i %% 3 = 0 THEN pg_temp.words('input' || i, 40) ELSE '' END,
           '', '', gen_random_uuid() FROM generate_series(1, %(size)s) i RETURNING id
), one AS (
    INSERT INTO annotation_response (prompt_id, text, text_hash)
    SELECT id, pg_temp.response('one' || id, id::int), gen_random_uuid() FROM prompt RETURNING id, prompt_id
), two AS (
    INSERT INTO annotation_response (prompt_id, text, text_hash)
    SELECT id, pg_temp.response('two' || id, (id * 3 + 1)::int), gen_random_uuid() FROM prompt RETURNING id, prompt_id
), pair AS (
    INSERT INTO annotation_pair (dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT dataset.id, prompt_id, one.id, two.id, prompt_id, '{}' FROM dataset, one JOIN two USING (prompt_id)
     ORDER BY prompt_id RETURNING id
)
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state)
SELECT pair.id, dataset.id, number, (pair.id + number) %% 2 = 0, 'free'
  FROM dataset, pair, generate_series(1, %(labels)s) number ORDER BY pair.id, number;
"""

# One annotator with a hundred thousand labels of their own, the first of each pair.
_VETERAN = """
WITH filled AS (
    UPDATE annotation_slot s
       SET state = 'done', annotator_id = u.id, expires_at = now(),
           claimed_at = now() - interval '1 year' + s.pair_id * interval '1 second'
      FROM annotation_user u
     WHERE u.username = 'annotator1' AND s.id IN (
        SELECT DISTINCT ON (pair_id) f.id FROM annotation_slot f JOIN annotation_dataset d ON d.id = f.dataset_id
         WHERE d.slug = %(slug)s AND f.state = 'free'
           AND NOT EXISTS (SELECT FROM annotation_slot own WHERE own.pair_id = f.pair_id AND own.annotator_id = u.id)
         ORDER BY pair_id LIMIT %(labels)s)
    RETURNING s.pair_id, s.annotator_id, s.swapped, s.claimed_at
)
INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, flag, created_at, changed_at)
SELECT pair_id, annotator_id, pair_id %% 3, swapped, '', '', claimed_at, claimed_at FROM filled
"""


# Every slot of a dataset filled here, by six annotators over forty days that end now, three in a hundred flagged.
_LABELLED = """
INSERT INTO annotation_user (username, password, role, is_active, is_staff, is_superuser, first_name, last_name, email,
                             date_joined)
SELECT 'worker' || i, '!', 'annotator', true, false, false, '', '', '', now() FROM generate_series(0, 5) i
    ON CONFLICT (username) DO NOTHING;
WITH filled AS (
    UPDATE annotation_slot s
       SET state = 'done', annotator_id = u.id, expires_at = NULL,
           claimed_at = now() - interval '40 days' * (1 - (s.pair_id - bounds.low) / (bounds.high - bounds.low + 1.0))
      FROM annotation_dataset d, annotation_user u,
           (SELECT min(pair_id) AS low, max(pair_id) AS high FROM annotation_slot slot
              JOIN annotation_dataset of ON of.id = slot.dataset_id WHERE of.slug = %(slug)s) bounds
     WHERE d.id = s.dataset_id AND d.slug = %(slug)s AND s.state = 'free'
       AND u.username = 'worker' || (s.pair_id + 2 * s.number) %% 6
    RETURNING s.pair_id, s.annotator_id, s.swapped, s.claimed_at, s.number
)
INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, flag, seconds, created_at,
                              changed_at)
SELECT pair_id, annotator_id, (pair_id + number / 3) %% 3, swapped,
       CASE WHEN pair_id %% 4 = 0 THEN 'The first one answers what was asked.' ELSE '' END,
       CASE WHEN pair_id %% 100 < 3 THEN 'broken' ELSE '' END, 5 + pair_id %% 60,
       claimed_at + interval '20 seconds', claimed_at + interval '20 seconds'
  FROM filled
"""


# A small dataset would soon have no pair left for anybody.
FORGET_LABELS = """
DELETE FROM annotation_label l USING annotation_slot s JOIN annotation_dataset d ON d.id = s.dataset_id
 WHERE d.slug = %(slug)s AND l.pair_id = s.pair_id AND l.annotator_id = s.annotator_id;
UPDATE annotation_slot s SET state = 'free', annotator_id = NULL, claimed_at = NULL, expires_at = NULL
  FROM annotation_dataset d WHERE d.id = s.dataset_id AND d.slug = %(slug)s AND s.state <> 'free';
"""


def make_pairs(home: Path, slug: str, size: int) -> None:
    execute(home, _PAIRS, {"slug": slug, "size": size, "labels": LABELS_PER_PAIR})


def make_veteran(home: Path, slug: str) -> None:
    execute(home, _VETERAN, {"slug": slug, "labels": VETERAN_LABELS})


def make_labels(home: Path, slug: str) -> None:
    execute(home, _LABELLED, {"slug": slug})


def execute(home: Path, sql: str, values: dict[str, object]) -> None:
    with psycopg.connect(database_url(home), autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(sql, values)
        connection.execute("VACUUM ANALYZE")

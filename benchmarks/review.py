"""What the review list costs: `python benchmarks/review.py [--pairs 300000] [--repeats 7]`.

Makes a PostgreSQL of its own with a dataset of so many pairs, three labels on each tenth, two runs in the given order
(two verdicts a pair) and a third in both orders (two more), beside a smaller dataset. Then asks for the list under each
filter: the first page, one from the midst of the pairs on which people differ, which come first, one from the middle of
the others, the last, and one backwards; for the count, and for a pair in the middle with its queue. Filters called
sparse match almost nothing, so that the database must look at everything there is.

Prints JSON: medians in ms of server time, the whole request in one process (sign-in check, query, rows, template), and
`cpu_ms`, the part that this process itself computed; the rest is PostgreSQL. `calibration_ms` is a fixed Python loop:
about 105 where the machine is free, more where others use it too.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import machine, own_database, timed  # noqa: E402

LIMIT_MS = 150

# {n}: pairs. Deterministic: what is sparse and what is common follows from the number of the pair.
FILL = """
INSERT INTO annotation_dataset (id, slug, purpose, labels_per_pair, everyone_labels, created_at)
    VALUES (1, 'large', 'train', 3, true, now()), (2, 'other', 'train', 3, true, now());
INSERT INTO annotation_user (id, username, password, role, is_superuser, is_staff, is_active, first_name, last_name,
        email, date_joined)
    SELECT i, 'annotator' || i, '!', 'annotator', false, false, true, '', '', '', now() FROM generate_series(1, 3) i
    UNION ALL SELECT 4, 'reviewer', '!', 'reviewer', false, false, true, '', '', '', now();
INSERT INTO annotation_generator (id, name) SELECT i, 'generator-' || i FROM generate_series(1, 8) i;
INSERT INTO annotation_prompt (id, instruction, input, source, reference, content_hash)
    SELECT i, 'Instruction ' || i || ': ' || repeat('rewrite the following sentence ', 4),
        CASE WHEN i % 2 = 0 THEN repeat('some input text ', 8) ELSE '' END,
        CASE WHEN i % 30000 = 7 THEN 'Rare' ELSE 'Common ' || i % 40 END, '', md5('p' || i)::uuid
    FROM generate_series(1, {n}) i;
INSERT INTO annotation_response (id, prompt_id, generator_id, text, text_hash)
    SELECT 2 * i - 1, i, CASE WHEN i % 50000 = 11 THEN 8 ELSE 1 + i % 5 END,
        'First ' || i || repeat(' lorem ipsum dolor sit amet', 12), md5('a' || i)::uuid FROM generate_series(1, {n}) i
    UNION ALL SELECT 2 * i, i, 1 + (i + 1 + i / 5 % 4) % 5,
        'Second ' || i || repeat(' lorem ipsum dolor sit amet', 12), md5('b' || i)::uuid FROM generate_series(1, {n}) i;
INSERT INTO annotation_pair (id, dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT i, 1 + (i % 16 = 3)::int, i, 2 * i - 1, 2 * i, i, '{{}}' FROM generate_series(1, {n}) i;
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, annotator_id)
    SELECT id, 1, number, number % 2 = 0, 'done', number FROM annotation_pair, generate_series(1, 3) number
    WHERE dataset_id = 1 AND id % 10 = 0;
INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, flag, seconds, created_at,
        changed_at)
    SELECT pair_id, annotator_id,
        (pair_id / 10 + CASE WHEN pair_id % 100 = 0 THEN number WHEN pair_id % 50 = 0 THEN number / 3 ELSE 0 END) % 3,
        swapped, '', '', 12.5, now(), now() FROM annotation_slot;
INSERT INTO judging_judge (id, name, backend, model, revision, template, parameters, fingerprint, created_at)
    SELECT i, 'judge-' || i, 'imported', '', '', '', '{{}}', '', now() FROM generate_series(1, 3) i;
INSERT INTO judging_judgerun (id, judge_id, dataset_id, "order", reasons, frozen, created_at)
    SELECT i, i, 1, CASE WHEN i = 3 THEN 'both' ELSE 'given' END, 'none', '{{}}', now() FROM generate_series(1, 3) i;
INSERT INTO judging_verdict (run_id, pair_id, swapped, choice, status, p_1, p_2, p_tie, reason, reference, raw,
        created_at)
    SELECT run, id, swapped, choice, CASE WHEN choice IS NULL THEN 'invalid' ELSE 'ok' END, .2, .3, .5,
        repeat('because it is better ', 10), '', '', now()
    FROM (
        SELECT run, id, swapped,
            CASE
                WHEN run = 1 AND id % 20000 = 5 OR run = 2 AND id % 33 = 1 THEN NULL
                WHEN run = 2 AND hashint8(id) % 5 = 0 OR run = 3 AND swapped AND id % 25000 = 6 THEN (id + 1) % 3
                ELSE id % 3
            END AS choice
        FROM annotation_pair, (VALUES (1, false), (2, false), (3, false), (3, true)) AS pass (run, swapped)
        WHERE dataset_id = 1
    ) AS verdict ORDER BY run, id;
"""

FILTERS = {
    "all pairs": "",
    "all pairs, as they came in": "order=pair",
    "human_judge": "kind=human_judge&run=2",
    "human_judge, sparse": "kind=human_judge&run=1&source=Rare",
    "human_judge, both orders": "kind=human_judge&run=3",
    "human_split": "kind=human_split",
    "judge_judge": "kind=judge_judge&run=1&other=2",
    "judge_judge, sparse": "kind=judge_judge&run=1&other=3&policy=released-files",
    "judge_judge, sparse, one in both orders": "kind=judge_judge&run=1&other=3",
    "order_flip, sparse": "kind=order_flip&run=3",
    "invalid": "kind=invalid",
    "invalid, sparse": "kind=invalid&run=1",
    "confusion cell": "run=2&gold=1&verdict=2",
    "confusion cell, sparse": "run=1&gold=1&verdict=invalid",
    "verdict, sparse": "run=1&verdict=invalid",
    "two people": "annotator=1&choice=1&annotator2=2&choice2=2",
    "source": "source=Common+8",
    "source, sparse": "source=Rare",
    "generators": "generators=generator-3%7Cgenerator-2",
    "generators, sparse": "generators=generator-8%7Cgenerator-2",
    "win cell": "generators=generator-3%7Cgenerator-2&winner=1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    with own_database():
        print(json.dumps(_measure(given.pairs, given.repeats), indent=2), flush=True)


def _measure(pairs: int, repeats: int) -> dict[str, object]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from annotation.models import User

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    # One in sixteen pairs is the other dataset's.
    total = -(-pairs * 16 // 15)
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(n=total))
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT count(*) FROM annotation_pair WHERE dataset_id = 1")
        in_dataset = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM judging_verdict")
        verdicts = cursor.fetchone()[0]
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="reviewer"))
    found = {name: _one(client, query, total, repeats) for name, query in FILTERS.items()}
    connection.close()
    worst = {
        name: max(row[part]["ms"] for part in ("first", "split", "middle", "last", "backwards"))
        for name, row in found.items()
    }
    return {
        "pairs": in_dataset,
        "verdicts": verdicts,
        "repeats": repeats,
        "machine": machine(),
        "filters": found,
        "slowest_page": {"filter": max(worst, key=worst.__getitem__), "ms": max(worst.values())},
        "all_within_limit": max(worst.values()) <= LIMIT_MS,
    }


def _one(client: object, query: str, total: int, repeats: int) -> dict[str, object]:
    middle = total // 2
    pages = {
        "first": f"/datasets/large/review/?{query}",
        "split": f"/datasets/large/review/?{query}&after=33-{middle}",
        "middle": f"/datasets/large/review/?{query}&after=100-{middle}",
        "last": f"/datasets/large/review/?{query}&after=100-{total - 2000}",
        "backwards": f"/datasets/large/review/?{query}&before=100-{middle}",
        "count": f"/datasets/large/review/count/?{query}",
        "pair": f"/pairs/{middle - middle % 10}/?{query}",
    }
    rows = client.get(pages["first"]).content.count(b'class="review-row"')
    return {"rows": rows} | {name: timed(lambda url=url: client.get(url), repeats) for name, url in pages.items()}


if __name__ == "__main__":
    main()

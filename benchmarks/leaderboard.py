"""What the leaderboard costs: `python benchmarks/leaderboard.py [--repeats 5] [--only small|large]`.

Makes a PostgreSQL of its own with two datasets. Small: 1,000 pairs, each with a prompt of its own and three labels, and
20 judges with verdicts on all of them, one in four in both orders, with probabilities. Large: 300,000 pairs, six to a
prompt, three labels on each tenth, and three judges in the given order. Then asks for the page as a browser that waits
does: when nothing is kept, when one verdict has changed, and when nothing has.

Prints JSON: medians in ms of server time, the whole request in one process, and `cpu_ms`, the part that this process
itself computed; the rest is PostgreSQL. `calibration_ms` is a fixed Python loop: about 105 where the machine is free.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import machine, own_database, timed  # noqa: E402

SIZES = {
    "small": {"dataset": 1, "n": 1_000, "per_prompt": 1, "judges": 20, "labelled": 1, "from": 0},
    "large": {"dataset": 2, "n": 300_000, "per_prompt": 6, "judges": 3, "labelled": 10, "from": 1_000},
}
LIMITS_MS = {"small": {"cold": 1500, "kept": 100}, "large": {"cold": 5000}}

PEOPLE = """
INSERT INTO annotation_user (id, username, password, role, is_superuser, is_staff, is_active, first_name, last_name,
        email, date_joined)
    SELECT i, 'annotator' || i, '!', 'annotator', false, false, true, '', '', '', now() FROM generate_series(1, 3) i
    UNION ALL SELECT 4, 'reviewer', '!', 'reviewer', false, false, true, '', '', '', now();
INSERT INTO annotation_generator (id, name) SELECT i, 'generator-' || i FROM generate_series(1, 5) i;
INSERT INTO judging_judge (id, name, backend, model, revision, template, parameters, fingerprint, created_at)
    SELECT i, 'judge-' || i, 'imported', '', '', '', '{}', '', now() FROM generate_series(1, 20) i;
"""
# Deterministic: hashes of the pair's number and the judge's take the place of chance.
FILL = """
INSERT INTO annotation_dataset (id, slug, purpose, labels_per_pair, everyone_labels, created_at)
    VALUES ({dataset}, '{name}', 'test', 3, true, now());
INSERT INTO annotation_prompt (id, instruction, input, source, reference, content_hash)
    SELECT i, 'Instruction ' || i, '', 'Source ' || i % 40, '', md5('{name}' || i)::uuid
    FROM generate_series({from} + 1, {from} + {n} / {per_prompt}) i;
INSERT INTO annotation_response (id, prompt_id, generator_id, text, text_hash)
    SELECT i, {from} + 1 + (i - 1 - 2 * {from}) / (2 * {per_prompt}), 1 + (i + (i - 1) / 2 / 7) % 5,
        'Response ' || i || repeat(' lorem ipsum dolor', 1 + (hashint8(i) & 31)), md5('r' || i)::uuid
    FROM generate_series(2 * {from} + 1, 2 * ({from} + {n})) i;
INSERT INTO annotation_pair (id, dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT i, {dataset}, {from} + 1 + (i - 1 - {from}) / {per_prompt}, 2 * i - 1, 2 * i, i, '{{}}'
    FROM generate_series({from} + 1, {from} + {n}) i;
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, annotator_id)
    SELECT id, {dataset}, number, (id + number) % 2 = 0, 'done', number
    FROM annotation_pair, generate_series(1, 3) number WHERE dataset_id = {dataset} AND id % {labelled} = 0;
INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, flag, seconds, created_at,
        changed_at)
    SELECT pair_id, annotator_id,
        CASE WHEN (hashint8(pair_id * 31 + annotator_id) & 255) < 210 THEN abs(hashint8(pair_id)) % 3
            ELSE abs(hashint8(pair_id * 17 + annotator_id)) % 3 END,
        swapped, '', '', 12.5, now(), now() FROM annotation_slot WHERE dataset_id = {dataset};
INSERT INTO judging_judgerun (id, judge_id, dataset_id, "order", reasons, frozen, created_at)
    SELECT {dataset} * 100 + i, i, {dataset}, CASE WHEN i % 4 = 0 THEN 'both' ELSE 'given' END, 'none', '{{}}', now()
    FROM generate_series(1, {judges}) i;
INSERT INTO judging_verdict (run_id, pair_id, swapped, choice, status, p_1, p_2, p_tie, seconds, cost, reason,
        reference, raw, created_at)
    SELECT run, id, swapped, choice, CASE WHEN choice IS NULL THEN 'invalid' ELSE 'ok' END,
        CASE choice WHEN 1 THEN sure WHEN 0 THEN (1 - sure) * 0.6 ELSE (1 - sure) / 2 END,
        CASE choice WHEN 2 THEN sure WHEN 0 THEN (1 - sure) * 0.4 ELSE (1 - sure) / 2 END,
        CASE choice WHEN 0 THEN sure ELSE (1 - sure) / 2 END, 0.05, 0.0004, '', '', '', now()
    FROM (
        SELECT {dataset} * 100 + judge AS run, id, swapped,
            0.4 + 0.6 * (hashint8(id * 13 + judge) & 1023) / 1024.0 AS sure,
            CASE WHEN id % 40 = judge THEN NULL
                WHEN (hashint8(id * 7 + judge * 2 + swapped::int) & 255) < 120 + 4 * judge THEN abs(hashint8(id)) % 3
                ELSE abs(hashint8(id * 19 + judge)) % 3 END AS choice
        FROM annotation_pair, generate_series(1, {judges}) judge, (VALUES (false), (true)) AS pass (swapped)
        WHERE dataset_id = {dataset} AND (NOT swapped OR judge % 4 = 0)
    ) AS made;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=SIZES)
    given = parser.parse_args()
    with own_database():
        print(json.dumps(_measure([given.only] if given.only else list(SIZES), given.repeats), indent=2), flush=True)


def _measure(names: list[str], repeats: int) -> dict[str, object]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from annotation.models import User

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE)
        for name in names:
            cursor.execute(FILL.format(name=name, **SIZES[name]))
        cursor.execute("VACUUM ANALYZE")
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="reviewer"))
    found = {name: _page(client, name, repeats) for name in names}
    connection.close()
    return {
        "sizes": {name: SIZES[name] for name in names},
        "repeats": repeats,
        "machine": machine(),
        "pages": found,
        "all_within_limits": all(
            found[name][state]["ms"] <= limit for name in names for state, limit in LIMITS_MS[name].items()
        ),
    }


def _page(client: object, name: str, repeats: int) -> dict[str, object]:
    """cold: nothing is kept. changed: one verdict is another since. kept: nothing has changed."""
    from django.core.cache import cache
    from django.db.models import Case, Value, When

    from judging.models import Verdict

    url = f"/datasets/{name}/leaderboard/?wait=1"
    of_dataset = Verdict.objects.filter(run__dataset__slug=name, choice__gt=0).order_by("pk").values("pk")[:1]
    one = Verdict.objects.filter(pk=of_dataset[0]["pk"])

    def change() -> None:
        one.update(choice=Case(When(choice=1, then=Value(2)), default=Value(1)))

    return {
        "cold": timed(lambda: client.get(url), repeats, before=cache.clear),
        "changed": timed(lambda: client.get(url), repeats, before=change),
        "kept": timed(lambda: client.get(url), repeats),
    }


if __name__ == "__main__":
    main()

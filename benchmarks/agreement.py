"""What the agreement page costs: `python benchmarks/agreement.py [--labels 300000] [--repeats 5]`.

Makes a PostgreSQL of its own with so many labels: three on each pair, by 20 annotators of different care, six pairs
to a prompt, 40 sources, two revisions of the guidelines and a third of few labels, times over ten weeks, sides,
seconds, some labels reconsidered after the reveal, and a run of a judge over all pairs. Then asks for the page as a
browser that waits does: when nothing is kept, when one label has changed, and when nothing has; the same with the judge
as a rater, by week and as a file; then for the adjudication page, and for review lists that cells and revisions lead
to.

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

LIMIT_MS = 1000
ANNOTATORS = 20

# {n}: pairs. Deterministic: hashes of the pair's number and the annotator's take the place of chance.
FILL = """
INSERT INTO annotation_dataset (id, slug, purpose, labels_per_pair, everyone_labels, created_at)
    VALUES (1, 'large', 'test', 3, true, now());
INSERT INTO annotation_user (id, username, password, role, is_superuser, is_staff, is_active, first_name, last_name,
        email, date_joined)
    SELECT i, 'annotator' || i, '!', 'annotator', false, false, true, '', '', '', now()
    FROM generate_series(1, {people}) i
    UNION ALL SELECT {people} + 1, 'reviewer', '!', 'reviewer', false, false, true, '', '', '', now();
INSERT INTO annotation_guideline (id, dataset_id, number, text, created_at)
    SELECT i, 1, i, 'Prefer the response that is true.', now() FROM generate_series(1, 3) i;
INSERT INTO annotation_prompt (id, instruction, input, source, reference, content_hash)
    SELECT i, 'Instruction ' || i || ': ' || repeat('rewrite the following sentence ', 4), '', 'Source ' || i % 40, '',
        md5('p' || i)::uuid FROM generate_series(1, {n} / 6 + 1) i;
INSERT INTO annotation_response (id, prompt_id, text, text_hash)
    SELECT i, 1 + (i - 1) / 12, 'Response ' || i || repeat(' lorem ipsum dolor', 1 + (hashint8(i) & 31)),
        md5('a' || i)::uuid FROM generate_series(1, 2 * {n}) i;
INSERT INTO annotation_pair (id, dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT i, 1, 1 + (2 * i - 1) / 12, 2 * i - 1, 2 * i, i, '{{}}' FROM generate_series(1, {n}) i;
INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, annotator_id)
    SELECT id, 1, number, (id + number) % 2 = 0, 'done',
        1 + ((hashint8(id) & 65535) + number * (1 + (hashint8(id + 7) & 3))) % {people}
    FROM annotation_pair, generate_series(1, 3) number;
INSERT INTO annotation_label (pair_id, annotator_id, choice, shown_swapped, rationale, flag, seconds, created_at,
        changed_at, guideline_id, revealed_at)
    SELECT pair_id, annotator_id,
        CASE WHEN (hashint8(pair_id * 31 + annotator_id) & 255) < 150 + 5 * annotator_id
            THEN abs(hashint8(pair_id)) % 3 ELSE abs(hashint8(pair_id * 17 + annotator_id)) % 3 END,
        swapped, '', '', 4 + (hashint8(pair_id + annotator_id) & 63),
        timestamptz '2026-01-05' + pair_id * interval '70 days' / {n},
        timestamptz '2026-01-05' + pair_id * interval '70 days' / {n},
        CASE WHEN pair_id = {n} / 2 THEN NULL WHEN pair_id % ({n} / 9) = 7 THEN 3 WHEN pair_id < {n} * 2 / 3 THEN 1
            ELSE 2 END,
        CASE WHEN pair_id % 10 = 0 THEN now() END
    FROM annotation_slot;
INSERT INTO annotation_reconsideration (label_id, choice, rationale, created_at)
    SELECT id, (choice + (pair_id % 50 = 0)::int) % 3, '', now() FROM annotation_label WHERE pair_id % 20 = 0;
INSERT INTO judging_judge (id, name, backend, model, revision, template, parameters, fingerprint, created_at)
    VALUES (1, 'judge', 'imported', '', '', '', '{{}}', '', now());
INSERT INTO judging_judgerun (id, judge_id, dataset_id, "order", reasons, frozen, created_at)
    VALUES (1, 1, 1, 'given', 'none', '{{}}', now());
INSERT INTO judging_verdict (run_id, pair_id, swapped, choice, status, reason, reference, raw, created_at)
    SELECT 1, id, false, CASE WHEN id % 40 = 0 THEN NULL ELSE abs(hashint8(id)) % 3 END,
        CASE WHEN id % 40 = 0 THEN 'invalid' ELSE 'ok' END, '', '', '', now() FROM annotation_pair;
"""

PAGES = {
    "as it stands": "/datasets/large/agreement/?wait=1",
    "with a judge as a rater": "/datasets/large/agreement/?wait=1&run=1",
    "by week": "/datasets/large/agreement/?wait=1&by=weeks",
    "as CSV": "/datasets/large/agreement.csv?by=hundreds",
}
LISTS = {
    "adjudication": "/datasets/large/adjudication/",
    "against the rest": "/datasets/large/review/?annotator=3&choice=1&rest=2",
    "differs from the rest": "/datasets/large/review/?annotator=20&rest=other",
    "slow labels": "/datasets/large/review/?annotator=3&seconds=60-",
    "a week": "/datasets/large/review/?annotator=3&since=2026-02-02T00:00Z&until=2026-02-09T00:00Z",
    "left side": "/datasets/large/review/?annotator=3&side=left",
    "changed after the reveal": "/datasets/large/review/?annotator=3&after_reveal=changed",
    "a quarter by length": "/datasets/large/review/?length=700-",
    "two labels or more": "/datasets/large/review/?labels=2-",
    "two labels or more, a judge's among them": "/datasets/large/review/?labels=2-&raters=1",
    "two labels or more, a judge's among them, count": "/datasets/large/review/count/?labels=2-&raters=1",
    "one label": "/datasets/large/review/?labels=1-1",
    "unanimous": "/datasets/large/review/?fall=unanimous",
    "a majority": "/datasets/large/review/?fall=majority",
    "no majority": "/datasets/large/review/?fall=none",
    "a judge and a person": "/datasets/large/review/?run=1&verdict=any&annotator=3",
    "no source": "/datasets/large/review/?sourced=no&labels=2-",
    "split, not adjudicated": "/datasets/large/review/?kind=human_split&adjudicated=no",
    "a cause": "/datasets/large/review/?cause=taste",
    "a revision": "/datasets/large/review/?guideline=2",
    "a revision of few": "/datasets/large/review/?guideline=3",
    "a revision, split": "/datasets/large/review/?guideline=2&kind=human_split",
    "a revision, split, backwards": "/datasets/large/review/?guideline=1&kind=human_split&before=100-50000",
    "a revision, a source": "/datasets/large/review/?guideline=2&source=Source+8",
    "a revision, a source, backwards": "/datasets/large/review/?guideline=2&source=Source+8&before=100-50000",
    "no guidelines": "/datasets/large/review/?guideline=none",
    "no guidelines, as they came in": "/datasets/large/review/?guideline=none&order=pair",
    "no guidelines, split": "/datasets/large/review/?guideline=none&kind=human_split",
    "no guidelines, a source": "/datasets/large/review/?guideline=none&source=Source+8",
    "no guidelines, count": "/datasets/large/review/count/?guideline=none",
    "how many a revision": "/datasets/large/guidelines/",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with own_database():
        print(json.dumps(_measure(given.labels // 3, given.repeats), indent=2), flush=True)


def _measure(pairs: int, repeats: int) -> dict[str, object]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from annotation.models import Label, User

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(n=pairs, people=ANNOTATORS))
        cursor.execute("VACUUM ANALYZE")
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="reviewer"))
    found = {name: _page(client, url, repeats) for name, url in PAGES.items()}
    lists = {name: timed(lambda url=url: client.get(url), repeats) for name, url in LISTS.items()}
    labels = Label.objects.count()
    connection.close()
    return {
        "pairs": pairs,
        "labels": labels,
        "annotators": ANNOTATORS,
        "repeats": repeats,
        "machine": machine(),
        "page": found,
        "lists": lists,
        "all_within_limit": max(row[part]["ms"] for row in found.values() for part in row) <= LIMIT_MS,
    }


def _page(client: object, url: str, repeats: int) -> dict[str, object]:
    """cold: nothing is kept. changed: one label is another since. kept: nothing has changed."""
    from django.core.cache import cache
    from django.db.models import F

    from annotation.models import Label

    one = Label.objects.filter(pk=Label.objects.order_by("pk").values("pk")[:1])

    def change() -> None:
        one.update(seconds=F("seconds") + 1)

    return {
        "cold": timed(lambda: client.get(url), repeats, before=cache.clear),
        "changed": timed(lambda: client.get(url), repeats, before=change),
        "kept": timed(lambda: client.get(url), repeats),
    }


if __name__ == "__main__":
    main()

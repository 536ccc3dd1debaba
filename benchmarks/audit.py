"""What drawing an audit costs: `python benchmarks/audit.py [--pairs 300000] [--size 2000] [--repeats 5]`.

Makes a PostgreSQL of its own with a dataset of so many distilled labels: one run in both orders with reasons and
probabilities, another judge's run beside it. Draws samples of `size` labels by different strata, by a POST of the form
in one process (sign-in check, draw, redirect), then the most suspicious labels, and asks for the page of numbers of an
audit of which all is decided and for an auditor's next pair.

Prints JSON: medians in ms. `calibration_ms` is a fixed Python loop: about 105 where the machine is free, more where
others use it too.
"""

import argparse
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import machine, own_database  # noqa: E402

LIMIT_MS = 2000
DIMENSIONS = ("verdict", "length", "source", "conflict", "probability")
FOUR = ("verdict", "length", "conflict", "probability")
SIGNALS = ("contradiction", "identical", "empty", "unlikely", "judges", "conflict")

# {n}: pairs.
FILL = """
INSERT INTO annotation_dataset (id, slug, purpose, labels_per_pair, everyone_labels, created_at)
    VALUES (1, 'large', 'train', 0, true, now());
INSERT INTO annotation_user (id, username, password, role, is_superuser, is_staff, is_active, first_name, last_name,
        email, date_joined)
    VALUES (1, 'auditor', '!', 'annotator', false, false, true, '', '', '', now()),
           (2, 'reviewer', '!', 'reviewer', false, false, true, '', '', '', now());
INSERT INTO annotation_prompt (id, instruction, input, source, reference, content_hash)
    SELECT i, 'Instruction ' || i || ': ' || repeat('rewrite the following sentence ', 4),
        CASE WHEN i % 2 = 0 THEN repeat('some input text ', 8) ELSE '' END, 'Source ' || i % 40, '', md5('p' || i)::uuid
    FROM generate_series(1, {n}) i;
INSERT INTO annotation_response (id, prompt_id, text, text_hash)
    SELECT 2 * i - 1, i, 'First ' || i || repeat(' lorem ipsum dolor sit amet', 5 + i % 20), md5('a' || i)::uuid
      FROM generate_series(1, {n}) i
    UNION ALL SELECT 2 * i, i, CASE WHEN i % 5000 = 0 THEN '' ELSE
        'Second ' || i || repeat(' lorem ipsum dolor sit amet', 5 + i % 17) END, md5('b' || i)::uuid
      FROM generate_series(1, {n}) i;
INSERT INTO annotation_pair (id, dataset_id, prompt_id, response_1_id, response_2_id, external_id, metadata)
    SELECT i, 1, i, 2 * i - 1, 2 * i, i, '{{}}' FROM generate_series(1, {n}) i;
INSERT INTO judging_judge (id, name, backend, model, revision, template, parameters, fingerprint, created_at)
    SELECT i, 'judge-' || i, 'imported', '', '', '', '{{}}', '', now() FROM generate_series(1, 2) i;
INSERT INTO judging_judgerun (id, judge_id, dataset_id, "order", reasons, frozen, created_at)
    VALUES (1, 1, 1, 'both', 'all', '{{}}', now()), (2, 2, 1, 'given', 'none', '{{}}', now());
INSERT INTO judging_verdict (run_id, pair_id, swapped, choice, status, p_1, p_2, p_tie, reason, reference, raw,
        created_at)
    SELECT run, id, swapped, choice, 'ok', CASE choice WHEN 1 THEN top ELSE (1 - top) / 2 END,
        CASE choice WHEN 2 THEN top ELSE (1 - top) / 2 END, CASE choice WHEN 0 THEN top ELSE (1 - top) / 2 END,
        CASE WHEN run = 1 THEN 'Response ' || CASE WHEN id % 100 = 7 THEN 2 ELSE 1 END || ' is better because it gives '
            'a more comprehensive answer to the question, while Response ' || CASE WHEN id % 100 = 7 THEN 1 ELSE 2 END
            || ' repeats the same idea several times.' ELSE '' END, '', '', now()
    FROM (SELECT run, id, swapped, .4 + .59 * (hashint8(id * run) & 1023) / 1023.0 AS top,
            CASE WHEN run = 2 AND hashint8(id) % 10 = 0 OR swapped AND hashint8(id) % 7 = 0 THEN (id + 1) % 3
                 ELSE id % 3 END AS choice
          FROM annotation_pair, (VALUES (1, false), (1, true), (2, false)) AS pass (run, swapped)) AS verdict
    ORDER BY run, id;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--size", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with own_database():
        print(json.dumps(_measure(given.pairs, given.size, given.repeats), indent=2), flush=True)


def _measure(pairs: int, size: int, repeats: int) -> dict[str, object]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from annotation.models import User

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(n=pairs))
        cursor.execute("VACUUM ANALYZE")
    reviewer, auditor = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    reviewer.force_login(User.objects.get(username="reviewer"))
    auditor.force_login(User.objects.get(username="auditor"))
    sample = {"mode": "sample", "run": 1, "size": size, "allocation": "proportional", "minimum": 2, "seed": 1}
    draws = {name: sample | {"strata": strata} for name, strata in _recipes().items()}
    found = {name: _median(lambda said=said: _draw(reviewer, said), repeats) for name, said in draws.items()}
    suspicious = {"mode": "suspicious", "run": 1, "size": size, "signals": SIGNALS, "probabilities": 2}
    worst = _median(lambda: _draw(reviewer, suspicious), max(1, repeats // 2))
    audit = _decided(reviewer, sample | {"strata": ["verdict", "length"]})
    open_audit = _draw(reviewer, draws["verdict"])
    pages = {
        "numbers, all decided": _median(lambda: _get(reviewer, audit), repeats),
        "an auditor's next pair": _median(lambda: _get(auditor, open_audit.replace("audits", "audit")), repeats),
    }
    connection.close()
    return {
        "labels": pairs,
        "size": size,
        "repeats": repeats,
        "machine": machine(),
        "draw_sample_ms": found,
        "draw_suspicious_ms": worst,
        "pages_ms": pages,
        "same_seed_same_labels": _items(_draw(reviewer, draws["verdict"])) == _items(_draw(reviewer, draws["verdict"])),
        "all_within_limit": max(found.values()) <= LIMIT_MS,
    }


def _recipes() -> dict[str, tuple[str, ...]]:
    return {"no strata": (), **{name: (name,) for name in DIMENSIONS}, "four at once": FOUR}


def _draw(client: object, said: dict[str, object]) -> str:
    """The request, and the job that it asks for, in this process."""
    from jobs.running import run_here
    from judging.models import Audit

    answer = client.post("/datasets/large/audits/new/", said)
    assert answer.status_code == 302, answer.content.decode()
    if job := Audit.objects.select_related("job").latest("pk").job:
        run_here(job=job, out=io.StringIO())
    return answer.url


def _get(client: object, url: str) -> None:
    assert client.get(url).status_code == 200


def _items(url: str) -> list[tuple[int, int]]:
    from judging.models import AuditItem

    items = AuditItem.objects.filter(audit=int(url.split("/")[2])).order_by("position")
    return list(items.values_list("pair", "swapped"))


def _decided(client: object, said: dict[str, object]) -> str:
    from django.utils import timezone

    from judging.models import AuditItem

    url = _draw(client, said)
    items = AuditItem.objects.filter(audit=int(url.split("/")[2]))
    items.update(state="decided", outcome="right", auditor=1, blind_choice=1, decided_at=timezone.now())
    return url


def _median(act: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        times.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    main()

"""One of everything that a page can be about."""

from dataclasses import replace
from types import SimpleNamespace

from django.core.files.base import ContentFile

from annotation.controls import set_control
from annotation.models import Choice, Import, Role
from annotation.onboarding import answer_practice
from annotation.rework import send_back
from jobs.lifecycle import enqueue
from judging.audits.auditing import claim_item
from judging.models import JudgeRun, SavedFilter, Tournament, Verdict
from judging.prompts.built_in import CRITERIA_TEXTS
from judging.prompts.versions import save_template
from tests import factories
from tests.judging.audits.made import draw_sample
from tests.training.made import make_training_run


def make_world() -> SimpleNamespace:
    """A dataset with a decided and an open pair, a peer's label, a judge's verdict, a job and an import."""
    annotator = factories.make_user(role=Role.ANNOTATOR, username="annotator-one")
    peer = factories.make_user(role=Role.ANNOTATOR, username="secret-peer")
    researcher = factories.make_user(role=Role.RESEARCHER)
    dataset = factories.make_dataset(reveals=True)
    models = ("secret-model-x", "secret-model-y")
    own_pair = factories.make_pair(dataset=dataset, generators=models)
    pair = factories.make_pair(dataset=dataset, generators=models)
    own_label = factories.make_label(pair=own_pair, annotator=annotator, shown_swapped=False)
    for text in ("Prefer what is **true**.", "Prefer what is **true**, then what is clear."):
        factories.make_guideline(dataset=dataset, text=text)
    asked_again = send_back(label_id=own_label.pk, comment="Is the second fact true?", by=researcher)
    for labelled in (own_pair, pair):
        factories.make_label(pair=labelled, annotator=peer, choice=Choice.SECOND, rationale="SECRET RATIONALE")
    judge = factories.make_judge(name="secret-judge")
    job = enqueue(kind="tests.nowhere", title="A job", subject_id=1, created_by=researcher)
    run = JudgeRun.objects.create(judge=judge, dataset=dataset, job=job, created_by=researcher)
    for judged in (own_pair, pair):
        verdict = Verdict.objects.create(
            run=run, pair=judged, choice=Choice.FIRST, reason="SECRET REASON", raw="SECRET REASON"
        )
    import_ = Import(dataset_slug=dataset.slug, dataset=dataset, file_name="pairs.jsonl", created_by=researcher)
    import_.job = enqueue(kind="tests.nowhere", title="An import", subject_id=1, created_by=researcher)
    import_.options = {"dry_run": True, "format": "tiebreak"}
    import_.file.save("pairs.jsonl", ContentFile(b"{}\n"))
    audit = draw_sample(run=run, dimensions=["verdict"], size=2, seed=0, created_by=researcher)
    audit_item = claim_item(audit=audit, user=annotator)
    said = {"choice": Choice.FIRST, "explanation": "Because."}
    control = set_control(pair=own_pair, use="practice", by=researcher, **said)
    answer_practice(user=annotator, control=control, choice=Choice.FIRST, swapped=False, seconds=None)
    set_control(pair=factories.make_pair(dataset=dataset), use="practice", by=researcher, **said)
    template = save_template(name="plain", about="Plain", texts=CRITERIA_TEXTS, newest=0, by=researcher)
    factories.make_judge(name="asks plainly", backend="openai", model="m", template=str(template))
    changed = replace(CRITERIA_TEXTS, system="Which of the two is better?")
    template = save_template(name="plain", about="Plain", texts=changed, newest=1, by=researcher)
    training_run = make_training_run(judge_run=run, by=researcher)
    candidate = make_training_run(judge_run=run, by=researcher, purpose="candidate")
    saved_filter = SavedFilter.objects.create(
        dataset=dataset, owner=researcher, name="Invalid ones", query="kind=invalid", shared=True
    )
    tournament = Tournament.objects.create(dataset_slug="compared", purpose="sweep", created_by=researcher)
    tournament.reading = enqueue(kind="tests.nowhere", title="Candidates", subject_id=1, created_by=researcher)
    tournament.found = {
        "errors": 0,
        "warnings": 0,
        "problems": [],
        "prompts": 2,
        "generators": [
            {"name": name, "file": "", "answers": 2, "missing": 0, "empty": 0, "other": 0, "answered": "c0"}
            for name in models
        ],
    }
    tournament.save()
    return SimpleNamespace(
        template=template,
        saved_filter=saved_filter,
        tournament=tournament,
        training_run=training_run,
        snapshot=training_run.snapshot,
        checkpoint=training_run.checkpoints.get(),
        candidate_checkpoint=candidate.checkpoints.get(),
        control=control,
        annotator=annotator,
        dataset=dataset,
        own_pair=own_pair,
        own_label=own_label,
        rework=asked_again,
        notification=annotator.notifications.get(),
        pair=pair,
        judge=judge,
        run=run,
        verdict=verdict,
        job=job,
        import_=import_,
        audit=audit,
        audit_item=audit_item,
    )

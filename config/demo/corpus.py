"""A small dataset to look round in: 36 pairs of our own, most of them labelled, and judges at work on them."""

from pathlib import Path

from django.core.management import call_command

from annotation.models import Dataset, Guideline

SLUG = "demo"
HERE = Path(__file__).resolve().parent


def import_demo_pairs() -> bool:
    """Bring the demo's pairs in, with the labels of three colleagues. False if the dataset is there already."""
    if Dataset.objects.filter(slug=SLUG).exists():
        return False
    call_command("import_pairs", str(HERE / "pairs.jsonl"), dataset=SLUG, purpose="test", create_annotators=True)
    dataset = Dataset.objects.get(slug=SLUG)
    Guideline.objects.create(dataset=dataset, number=1, text=(HERE / "guidelines.md").read_text())
    return True

"""A label page in a browser: its pairs, and what a person does on it."""

from playwright.sync_api import expect

from annotation.labeling import in_other_terms
from annotation.models import Choice, Dataset, Label
from tests import factories

CODE = f"""Use `sorted`:

```python
for name in sorted(names):
    print(name)  # {"long " * 60}
```

| a | b |
|---|---|
| 1 | 2 |"""


def make_label_dataset() -> Dataset:
    dataset = factories.make_dataset(slug="test-set", labels_per_pair=2)
    factories.make_guideline(dataset=dataset, text="Prefer what is **true**.\n\n- then what is clear")
    for texts in [(CODE, "No."), ("مرحبا بالعالم", ""), ("word " * 1500, "short"), ("a", "b"), ("c", "d")]:
        factories.make_pair(dataset=dataset, texts=texts)
    return dataset


def pair_in_view(page) -> int:
    return int(page.locator("#task").get_attribute("data-pair"))


def press(page, key: str) -> None:
    """Press a key once the page can hear it: its scripts have run."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def press_and_wait(page, key: str) -> int:
    """Press a key that decides; return the pair that was decided, once the next stands."""
    pair = pair_in_view(page)
    press(page, key)
    expect_next(page, pair)
    return pair


def expect_next(page, pair: int) -> None:
    """Wait until another pair than this one, or none, stands."""
    page.wait_for_function("pair => document.querySelector('#task').dataset.pair !== pair", arg=str(pair))
    expect(page.locator("#task")).to_have_attribute("aria-busy", "false")


def shown_choice(pair: int) -> Choice:
    label = Label.objects.get(pair=pair)
    return in_other_terms(Choice(label.choice), swapped=label.shown_swapped)

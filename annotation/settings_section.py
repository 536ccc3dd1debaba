"""What every section of a dataset's settings is."""

from django import forms

from jobs.models import Job


class Section(forms.ModelForm):
    """Some fields of a dataset under a heading. `about` says in a sentence what they are for."""

    title = ""
    about = ""
    job: Job | None = None
    """What goes on after it was stored."""

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-").replace(",", "")

    def store(self) -> None:
        """In the open transaction. Only its own fields: the others stay as they are in the database."""
        self.instance.save(update_fields=list(self.fields))


def between(value: int | None, least: int, most: int) -> int | None:
    if value is not None and not least <= value <= most:
        raise forms.ValidationError(f"Choose {least} to {most}.")
    return value

"""Prompt templates that people write: one row a version, which never changes."""

from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from judging.prompts.asking import CHAT, COMPLETION, JSON, PANDALM, Texts


class PromptTemplateQuerySet(models.QuerySet):
    def called(self, full_name: str) -> Self:
        """The version that a judge names, as mine@2; nothing where there is none."""
        name, _, version = full_name.rpartition("@")
        return self.filter(name=name, version=int(version)) if _is_number(version) else self.none()


def _is_number(version: str) -> bool:
    """As it is written behind a name: plain digits, none too many for the column."""
    return version.isascii() and version.isdigit() and len(version) < 10 and not version.startswith("0")


class PromptTemplate(models.Model):
    """How a judge is asked. A changed text is the next version; the database refuses to change a row.

    Judges name it as name@version; one that a judge names cannot be removed either.
    """

    class Kind(models.TextChoices):
        COMPLETION = COMPLETION, "A text that a checkpoint continues"
        CHAT = CHAT, "Messages for a chat model"

    class Answer(models.TextChoices):
        JSON = JSON, "A JSON object"
        PANDALM = PANDALM, "PandaLM's form: 1, 2 or Tie in the first line"

    name = models.CharField(
        max_length=40,
        validators=[
            RegexValidator(r"^[a-z0-9][a-z0-9._-]*\Z", "Use small letters, digits, hyphens, dots and underscores only.")
        ],
    )
    version = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    kind = models.CharField(max_length=10, choices=Kind)
    answer = models.CharField(max_length=7, choices=Answer)
    prompt = models.TextField(blank=True, help_text="Of a completion: the whole text.")
    system = models.TextField(blank=True, help_text="Of a chat; how to answer is added to it.")
    user = models.TextField(blank=True, help_text="Of a chat: what is judged.")
    about = models.CharField(max_length=200, help_text="What it is for.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromptTemplateQuerySet.as_manager()

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="prompt_template_version_once"),
            models.CheckConstraint(
                condition=Q(version__gte=1) & Q(name__regex=r"^[a-z0-9][a-z0-9._-]*$"),
                name="prompt_template_named",
            ),
            models.CheckConstraint(
                condition=(Q(kind="completion", answer="pandalm", system="", user="") & ~Q(prompt=""))
                | (Q(kind="chat", answer__in=["json", "pandalm"], prompt="") & ~Q(user="")),
                name="prompt_template_texts_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def get_absolute_url(self) -> str:
        return reverse("prompt_template", args=[str(self)])

    @property
    def texts(self) -> Texts:
        return Texts(self.kind, self.answer, prompt=self.prompt, system=self.system, user=self.user)

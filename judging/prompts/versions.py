"""The prompt templates there are, built in and written by people: finding them, what uses them, and new versions."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from annotation.differences import Piece, differences
from annotation.models import User
from judging.models import Judge, PromptTemplate
from judging.prompts.asking import CHAT, COMPLETION, Template, Texts
from judging.prompts.built_in import TEMPLATES, UnknownTemplateError
from judging.prompts.written import errors_in, shows_reference, template_of, tidied

FIELDS = {COMPLETION: {"prompt": "Text"}, CHAT: {"system": "System text", "user": "User text"}}


@dataclass(frozen=True)
class Version:
    """One version, built in or written. judges: how many ask by it."""

    name: str
    version: int
    about: str
    texts: Texts
    judges: int = 0
    created_by: User | None = None
    created_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def get_absolute_url(self) -> str:
        return reverse("prompt_template", args=[str(self)])

    @property
    def built_in(self) -> bool:
        return str(self) in TEMPLATES

    @property
    def for_checkpoints(self) -> bool:
        return self.texts.kind == COMPLETION

    @property
    def answer(self) -> str:
        return PromptTemplate.Answer(self.texts.answer).label

    @property
    def shows_reference(self) -> bool:
        return shows_reference(self.texts)

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The texts that its kind has, each with its label."""
        return [(label, getattr(self.texts, field)) for field, label in FIELDS[self.texts.kind].items()]

    @property
    def template(self) -> Template:
        return template_of(str(self), self.texts, self.about)


@dataclass(frozen=True)
class Change:
    """From one version to another: of each text its label, and both in pieces, none where nothing differs."""

    before: Version
    after: Version
    parts: list[tuple[str, list[Piece], list[Piece]]]

    @property
    def same(self) -> bool:
        return self.before.texts == self.after.texts and self.before.about == self.after.about


def find_template(full_name: str) -> Template:
    """What asks by it, as mine@2. Raises UnknownTemplateError, whose text lists the templates."""
    if full_name in TEMPLATES:
        return TEMPLATES[full_name]
    row = PromptTemplate.objects.called(full_name).first()
    if row is None:
        names = ", ".join([*TEMPLATES, *map(str, PromptTemplate.objects.all())])
        raise UnknownTemplateError(f"No prompt template is called '{full_name}'. Choose one of: {names}.")
    return template_of(full_name, row.texts, row.about)


def all_versions() -> list[list[Version]]:
    """Each template with its versions, the newest first; the built-in ones before the others."""
    counts = Counter(Judge.objects.exclude(template="").values_list("template", flat=True))
    built_in = [[_built_in(template, counts)] for template in TEMPLATES.values()]
    rows = PromptTemplate.objects.select_related("created_by").order_by("name", "-version")
    written = [[_written(row, counts) for row in group] for _, group in groupby(rows, key=lambda row: row.name)]
    return built_in + written


def version_named(full_name: str) -> Version:
    """Raises PromptTemplate.DoesNotExist."""
    counts = {full_name: Judge.objects.filter(template=full_name).count()}
    if full_name in TEMPLATES:
        return _built_in(TEMPLATES[full_name], counts)
    return _written(PromptTemplate.objects.select_related("created_by").called(full_name).get(), counts)


def versions_of(name: str) -> list[PromptTemplate]:
    """The versions of a written template without their texts, the newest first; none of a built-in one."""
    return list(PromptTemplate.objects.filter(name=name).only("name", "version").order_by("-version"))


def change_between(*, name: str, before: int, after: int) -> Change:
    """Raises PromptTemplate.DoesNotExist."""
    old, new = version_named(f"{name}@{before}"), version_named(f"{name}@{after}")
    parts = [
        (label, *(differences(one, other) if one != other else ([], [])))
        for (label, one), (_, other) in zip(old.parts, new.parts, strict=True)
    ]
    return Change(old, new, parts)


def save_template(*, name: str, about: str, texts: Texts, newest: int, by: User | None) -> PromptTemplate:
    """The first version of a template, or the next one.

    newest: the number of its newest version when the person began to write, 0 for a new template. Raises
    ValidationError by field, which says what to do.
    """
    row = PromptTemplate(name=name, version=newest + 1, about=about.strip(), created_by=by, **tidied(texts).as_dict())
    if "@" in name:
        raise ValidationError({"name": "Leave out '@': the version is added to the name, as in mine@1."})
    if any(built_in.rpartition("@")[0] == name for built_in in TEMPLATES):
        raise ValidationError({"name": f"'{name}' is a built-in template. Choose another name."})
    row.clean_fields()
    if errors := errors_in(row.texts):
        raise ValidationError(errors)
    try:
        with transaction.atomic():
            there = list(PromptTemplate.objects.filter(name=name).order_by("-version").select_for_update())
            _check_newest(row, there, newest)
            row.save(force_insert=True)
    except IntegrityError as error:
        raise ValidationError(f"Somebody saved {row} in this moment. Copy what you wrote, and look at it.") from error
    return row


def keep_template(full_name: str) -> None:
    """Until the end of this transaction the version is not removed, so that a judge can name it."""
    PromptTemplate.objects.called(full_name).select_for_update(no_key=True).first()


def _check_newest(row: PromptTemplate, there: list[PromptTemplate], newest: int) -> None:
    if there and not newest:
        raise ValidationError(
            {"name": f"There is a template '{row.name}' already. Choose another name, or make a new version of it."}
        )
    if newest and (not there or there[0].version != newest):
        now = there[0] if there else "none"
        raise ValidationError(f"The newest version is {now} by now. Copy what you wrote, look at it, and begin there.")
    if there and there[0].kind != row.kind:
        raise ValidationError(f"{there[0]} is of another kind: {there[0].get_kind_display()}. Make a new template.")
    if there and (there[0].texts, there[0].about) == (row.texts, row.about):
        raise ValidationError(f"Nothing differs from {there[0]}: change something first.")


def _built_in(template: Template, counts: dict[str, int]) -> Version:
    name, _, version = template.name.rpartition("@")
    return Version(name, int(version), template.about, template.texts, counts.get(template.name, 0))


def _written(row: PromptTemplate, counts: dict[str, int]) -> Version:
    judges = counts.get(str(row), 0)
    return Version(row.name, row.version, row.about, row.texts, judges, row.created_by, row.created_at)

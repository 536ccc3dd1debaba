"""Making judges. What changes an answer is fixed when a judge is made; another setting is another judge."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction

from annotation.models import User
from jobs.errors import PermanentError
from judging.backends.baseline import Baseline
from judging.backends.checkpoints import check_folder, folder_of
from judging.backends.parameters import BadParametersError, read_parameters
from judging.juries import Jury
from judging.models import Judge
from judging.prompts.asking import Template
from judging.prompts.built_in import UnknownTemplateError
from judging.prompts.versions import find_template, keep_template

USUAL_TEMPLATES = {Judge.Backend.TRANSFORMERS: "pandalm@1", Judge.Backend.OPENAI: "json@1"}


def create_judge(
    *,
    name: str,
    backend: str,
    model: str = "",
    revision: str = "",
    template: str = "",
    parameters: Mapping[str, object] | None = None,
    created_by: User | None = None,
) -> Judge:
    """Make a judge that can be run. Raises ValidationError by field, which says what may stand there."""
    judge = Judge(
        name=name.strip(),
        backend=backend,
        model=model.strip(),
        revision=revision.strip(),
        template=template.strip() or USUAL_TEMPLATES.get(backend, ""),
        parameters={} if parameters is None else parameters,
        created_by=created_by,
    )
    judge.full_clean(exclude=["fingerprint"])
    with transaction.atomic():
        keep_template(judge.template)
        check_settings(
            backend=backend,
            model=judge.model,
            revision=judge.revision,
            template=judge.template,
            parameters=judge.parameters,
        )
        judge.save()
    return judge


def check_settings(*, backend: str, model: str, revision: str, template: str, parameters: Mapping[str, object]) -> None:
    """Raises ValidationError by field. What only a worker can know (a folder on its disk, a key) it finds out there."""
    checks = {
        Judge.Backend.BASELINE: _check_baseline,
        Judge.Backend.TRANSFORMERS: _check_checkpoint,
        Judge.Backend.OPENAI: _check_server,
        Judge.Backend.JURY: _check_jury,
        Judge.Backend.FAKE: _check_fake,
    }
    if backend not in checks:
        raise ValidationError({"backend": "Judges of this kind are made by importing their verdicts."})
    if not isinstance(parameters, Mapping):
        raise ValidationError({"parameters": 'Parameters are a JSON object, as {"seed": 1}.'})
    checks[Judge.Backend(backend)](model=model, revision=revision, template=template)
    try:
        given = read_parameters(backend, parameters)
    except BadParametersError as error:
        raise ValidationError({"parameters": str(error)}) from error
    if backend == Judge.Backend.JURY:
        _check_members(given.members)
    if backend == Judge.Backend.OPENAI and given.endpoint == "completions" and _template(template).prompt is None:
        raise ValidationError(
            {"template": f"{template} is for chat. Choose one for checkpoints, as pandalm@1, or 'endpoint': 'chat'."}
        )


def _check_baseline(*, model: str, revision: str, template: str) -> None:
    if model not in Baseline.NAMES:
        raise ValidationError({"model": f"Choose one of the baselines: {', '.join(Baseline.NAMES)}."})
    _check_unused(revision=revision, template=template)


def _check_jury(*, model: str, revision: str, template: str) -> None:
    if model not in Jury.RULES:
        raise ValidationError({"model": f"Choose how the members decide: {', '.join(Jury.RULES)}."})
    _check_unused(revision=revision, template=template)


def _check_members(members: list) -> None:
    """Members are judges that are there, and no juries: who votes must be plain to see."""
    names = [name for name in members if isinstance(name, str)]
    if len(names) != len(members) or len(set(names)) < 2 or len(set(names)) != len(names):
        raise ValidationError({"parameters": "'members' must be two or more different names of judges."})
    known = dict(Judge.objects.filter(name__in=names).values_list("name", "backend"))
    for name in names:
        if name not in known:
            raise ValidationError({"parameters": f"There is no judge called '{name}'."})
        if known[name] == Judge.Backend.JURY:
            raise ValidationError({"parameters": f"'{name}' is a jury itself: name its members."})


def _check_fake(*, model: str, revision: str, template: str) -> None:
    _check_unused(model=model, revision=revision, template=template)


def _check_checkpoint(*, model: str, revision: str, template: str) -> None:
    if not model:
        raise ValidationError({"model": "Name the folder of the checkpoint, or its hub id."})
    if _template(template).prompt is None:
        raise ValidationError(
            {"template": f"{template} is for chat servers. A checkpoint takes one such as pandalm@1."}
        )
    folder = folder_of(model)
    if folder is None:
        return
    if revision:
        raise ValidationError({"revision": "A folder has no revision: leave this empty."})
    # The workers may be on another machine, so only a folder that is here can be found wanting here.
    if folder.exists():
        try:
            check_folder(folder)
        except PermanentError as error:
            raise ValidationError({"model": str(error)}) from error


def _check_server(*, model: str, revision: str, template: str) -> None:
    if not model:
        raise ValidationError({"model": "Name the model as the server calls it."})
    _template(template)
    _check_unused(revision=revision)


def _template(name: str) -> Template:
    try:
        return find_template(name)
    except UnknownTemplateError as error:
        raise ValidationError({"template": str(error)}) from error


def _check_unused(**values: str) -> None:
    """A setting that would change nothing is refused rather than kept as if it did."""
    said = {field: "This kind of judge has none: leave it empty." for field, value in values.items() if value}
    if said:
        raise ValidationError(said)

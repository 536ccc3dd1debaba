"""The people of a team and what each role may do."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """One role a person; whoever must both label and review has two accounts, which keeps labels blind."""

    ANNOTATOR = "annotator", "Annotator"
    REVIEWER = "reviewer", "Reviewer"
    RESEARCHER = "researcher", "Researcher"
    ADMINISTRATOR = "administrator", "Administrator"


class User(AbstractUser):
    role = models.CharField(max_length=13, choices=Role, default=Role.ANNOTATOR)
    wants_mail = models.BooleanField(
        default=True, db_default=True, help_text="Notifications are sent to the person's e-mail address, too."
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
        ]

    @property
    def may_label(self) -> bool:
        return self.role == Role.ANNOTATOR

    @property
    def may_review(self) -> bool:
        return self.role in {Role.REVIEWER, Role.RESEARCHER, Role.ADMINISTRATOR}

    @property
    def may_research(self) -> bool:
        """Import, export, run judges, use the admin."""
        return self.role in {Role.RESEARCHER, Role.ADMINISTRATOR}

    def save(self, *args, **kwargs):
        if self.is_superuser and self._state.adding:  # By createsuperuser, which knows nothing of roles.
            self.role = Role.ADMINISTRATOR
        self.is_staff = self.may_research
        self.is_superuser = self.role == Role.ADMINISTRATOR
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "is_staff", "is_superuser"}
        super().save(*args, **kwargs)

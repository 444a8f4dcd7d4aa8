from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.accounts.models import User, Workspace


class MailPreference(models.Model):
    """What a member does not want by e-mail. Without a row everything is mailed; the inbox holds it either way."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mail_preferences")
    quiet = ArrayField(models.CharField(max_length=40), default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="mail_preference_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import DomainError
from apps.notices import tasks
from apps.notices.models import Notification, is_own_path


class BadNotice(DomainError):
    """A notice must have a title and may only lead to a page of this site."""


@transaction.atomic
def notify(
    *, users: Iterable[User], workspace: Workspace, kind: str, title: str, body: str = "", url: str = ""
) -> list[Notification]:
    """Tell members something: in their inbox with this transaction, by e-mail after it. Who has left is left out.

    Ids, names and numbers only: notices are read outside the wall around prompt text. Raises BadNotice.
    """
    title = " ".join(text.clean(title, field="The title").split())[:200]
    if not title or not (url == "" or is_own_path(url)):
        raise BadNotice("A notice needs a title, and an address that begins with one slash.")
    now = timezone.now()
    made = Notification.objects.bulk_create(
        Notification(workspace=workspace, user=member.user, kind=kind, title=title, body=body, url=url, created_at=now)
        for member in workspace.memberships.by_name().filter(user__in={user.pk for user in users})
    )
    for notification in made:
        tasks.send_mail.delay_on_commit(notification_id=notification.pk)
    return made


@transaction.atomic
def mark_read(*, notification: Notification, acting_user: User) -> None:
    """Mark one's own notice as read; a second time changes nothing."""
    mine = Notification.objects.filter(pk=notification.pk, user=acting_user).unread()
    mine.update(read_at=timezone.now())


@transaction.atomic
def mark_all_read(*, workspace: Workspace, acting_user: User) -> int:
    """Mark all of one's notices in the workspace as read and return how many were not."""
    return Notification.objects.unread_of(acting_user, workspace).update(read_at=timezone.now())

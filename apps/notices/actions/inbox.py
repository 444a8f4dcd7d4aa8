from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core import text
from apps.core.errors import Conflict, DomainError
from apps.notices import tasks
from apps.notices.kinds import KINDS
from apps.notices.models import MailPreference, Notification, is_own_path


class BadNotice(DomainError):
    """A notice must be of a known kind, have a title, and may only lead to a page of this site."""


@transaction.atomic
def notify(
    *, users: Iterable[User], workspace: Workspace, kind: str, title: str, body: str = "", url: str = ""
) -> list[Notification]:
    """Tell members something: in their inbox with this transaction, by e-mail after it unless they want none of that kind.

    Who has left the workspace is left out.

    Ids, names and numbers only: notices are read outside the wall around prompt text. Raises BadNotice.
    """
    if kind not in KINDS:
        raise BadNotice(f"No member can choose whether to have {kind!r} by e-mail.")
    title = " ".join(text.clean(title, field="The title").split())[:200]
    if not title or not (url == "" or is_own_path(url)):
        raise BadNotice("A notice needs a title, and an address that begins with one slash.")
    now, quiet = timezone.now(), _quiet(workspace, kind)
    made = Notification.objects.bulk_create(
        Notification(
            workspace=workspace,
            user=member.user,
            kind=kind,
            title=title,
            body=body,
            url=url,
            created_at=now,
            wants_mail=member.user_id not in quiet,
        )
        for member in workspace.memberships.by_name().filter(user__in={user.pk for user in users})
    )
    for notification in filter(lambda one: one.wants_mail, made):
        tasks.send_mail.delay_on_commit(notification_id=notification.pk)
    return made


def _quiet(workspace: Workspace, kind: str) -> set[int]:
    """Return the ids of those who want no e-mail of this kind."""
    preferences = MailPreference.objects.filter(workspace=workspace, quiet__contains=[kind])
    return set(preferences.values_list("user_id", flat=True))


@transaction.atomic
def choose_mail(*, workspace: Workspace, wanted: Iterable[str], acting_user: User) -> MailPreference:
    """Keep which kinds of notices the member wants by e-mail; unknown ones are passed over."""
    quiet = sorted(set(KINDS) - set(wanted))
    found, _ = MailPreference.objects.update_or_create(workspace=workspace, user=acting_user, defaults={"quiet": quiet})
    return found


@transaction.atomic
def send_mail_again(*, notification: Notification, acting_user: User) -> None:
    """Send the e-mail of a notice once more: one that was given up, or one that never arrived.

    Raises Conflict for one that is still on its way, which would be sent twice, and DomainError where its reader has
    left: what happens in a workspace is for its members.
    """
    workspace = notification.workspace
    if not workspace.memberships.filter(user=notification.user_id, user__is_active=True).exists():
        raise DomainError(f"{notification.user} is no member of {workspace} any more.")
    rows = Notification.objects.filter(pk=notification.pk).done_with_mail()
    if not rows.update(emailed_at=None, mail_attempts=0, mail_lease_until=None, mail_answer=""):
        raise Conflict("This e-mail is on its way already.")
    audit.record(workspace=workspace, actor=acting_user, verb="sent an e-mail again to", target=notification.user)
    tasks.send_mail.delay_on_commit(notification_id=notification.pk)


@transaction.atomic
def mark_read(*, notification: Notification, acting_user: User) -> None:
    """Mark one's own notice as read; a second time changes nothing."""
    mine = Notification.objects.filter(pk=notification.pk, user=acting_user).unread()
    mine.update(read_at=timezone.now())


@transaction.atomic
def mark_all_read(*, workspace: Workspace, acting_user: User) -> int:
    """Mark all of one's notices in the workspace as read and return how many were not."""
    return Notification.objects.unread_of(acting_user, workspace).update(read_at=timezone.now())

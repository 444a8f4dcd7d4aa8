"""What comes by e-mail as well is each member's own choice."""

import ast
from pathlib import Path

from django.core import mail
from django.urls import reverse

from apps.notices import actions, mailing
from apps.notices.kinds import KINDS
from apps.notices.models import Notification

APPS = Path(__file__).resolve().parents[2] / "apps"


def notify(workspace, user, kind):
    [made] = actions.notify(users=[user], workspace=workspace, kind=kind, title="Something", url="/")
    return made


def at(workspace):
    return reverse("notice_preferences", kwargs={"workspace": workspace.slug})


def test_what_is_not_wanted_by_mail_is_in_the_inbox_alone(workspace, ana, client_of):
    client_of(ana).post(at(workspace), {"mail": [kind for kind in KINDS if kind != "comment"]})
    quiet, loud = notify(workspace, ana, "comment"), notify(workspace, ana, "reviewed")
    assert not mailing.deliver(quiet.pk)
    assert mailing.deliver(loud.pk)
    assert len(mail.outbox) == 1
    assert Notification.objects.unread_of(ana, workspace).count() == 2


def test_the_page_shows_what_was_chosen(workspace, ana, client_of):
    client = client_of(ana)
    assert client.get(at(workspace)).content.count(b" checked") == len(KINDS)
    client.post(at(workspace), {"mail": ["reviewed"]})
    assert client.get(at(workspace)).content.count(b" checked") == 1


def test_one_member_does_not_choose_for_another(workspace, ana, amir, client_of):
    client_of(ana).post(at(workspace), {})
    assert mailing.deliver(notify(workspace, amir, "comment").pk)


def test_strangers_stay_out(workspace, stranger, client_of):
    assert client_of(stranger).get(at(workspace)).status_code == 404


def kinds_told():
    """Return every kind that some action tells people of."""
    for path in APPS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "notify":
                for keyword in node.keywords:
                    if keyword.arg == "kind" and isinstance(keyword.value, ast.Constant):
                        yield keyword.value.value


def test_every_kind_that_can_be_chosen_is_told_somewhere():
    said = set()
    for path in APPS.rglob("*.py"):
        if path.name != "kinds.py":
            said |= {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    assert set(KINDS) - said == set()


def test_every_kind_that_people_are_told_of_can_be_chosen():
    told = set(kinds_told())
    assert len(told) >= 8
    assert told <= set(KINDS)

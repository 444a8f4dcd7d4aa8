"""The inbox and its bell, through the browser's door."""

import pytest
from django.urls import reverse

from apps.notices import actions
from apps.notices.models import Notification
from apps.notices.views.inbox import PAGE


def url(name, **kwargs):
    return reverse(name, kwargs={"workspace": "acme", **kwargs})


def notify(workspace, *users, title="Look at this", to="/w/acme/inbox/?seen=1"):
    return actions.notify(users=users, workspace=workspace, kind="review_wanted", title=title, url=to)


def titles(answer):
    return [notice.title for notice in [*answer.context["unread"], *answer.context["read"]]]


def test_unread_notices_come_first_each_list_newest_first(client_of, workspace, ana):
    made = [notify(workspace, ana, title=title)[0] for title in "abcd"]
    for notice in (made[1], made[3]):
        actions.mark_read(notification=notice, acting_user=ana)
    assert titles(client_of(ana).get(url("inbox"))) == ["c", "a", "d", "b"]


def test_pages_follow_one_another_through_both_lists(client_of, workspace, ana):
    made = [notify(workspace, ana, title=str(number))[0] for number in range(2 * PAGE + 5)]
    for notice in made[: PAGE + 10]:
        actions.mark_read(notification=notice, acting_user=ana)
    client, after, seen, pages = client_of(ana), "", [], 0
    while pages == 0 or after:
        answer = client.get(url("inbox"), {"after": after})
        seen, after, pages = seen + titles(answer), answer.context["next"], pages + 1
    unread, read = range(2 * PAGE + 4, PAGE + 9, -1), range(PAGE + 9, -1, -1)
    assert seen == [str(number) for number in (*unread, *read)]
    assert pages == 3


@pytest.mark.parametrize("after", ["", "garbage", "unread-x", "read-" + "9" * 30])
def test_a_garbled_cursor_shows_the_first_page(client_of, workspace, ana, after):
    notify(workspace, ana)
    assert titles(client_of(ana).get(url("inbox"), {"after": after})) == ["Look at this"]


def test_the_empty_inbox_says_what_will_come(client_of, ana):
    assert b"Nothing waits for you" in client_of(ana).get(url("inbox")).content


def test_htmx_gets_the_list_alone(client_of, ana):
    answer = client_of(ana).get(url("inbox"), headers={"HX-Request": "true"})
    assert b"<html" not in answer.content
    assert b'id="notices"' in answer.content


def test_nobody_sees_the_notices_of_another(client_of, workspace, ana, amir):
    [notice] = notify(workspace, ana)
    client = client_of(amir)
    assert titles(client.get(url("inbox"))) == []
    assert client.post(url("notice_open", pk=notice.pk)).status_code == 404


def test_the_inbox_of_one_workspace_shows_nothing_of_another(client_of, workspace, stranger):
    elsewhere = stranger.memberships.get().workspace
    actions.notify(users=[stranger], workspace=elsewhere, kind="comment", title="x")
    workspace.memberships.create(user=stranger, roles=["viewer"])
    assert titles(client_of(stranger).get(url("inbox"))) == []


def test_a_stranger_finds_nothing(client_of, workspace, stranger):
    assert client_of(stranger).get(url("inbox")).status_code == 404


def test_opening_a_notice_marks_it_and_goes_where_it_leads(client_of, workspace, ana):
    [notice] = notify(workspace, ana)
    answer = client_of(ana).post(url("notice_open", pk=notice.pk))
    assert answer["Location"] == "/w/acme/inbox/?seen=1"
    assert not Notification.objects.unread_of(ana, workspace).exists()


def test_a_notice_is_a_link_to_where_it_leads_that_a_new_tab_follows_too(client_of, workspace, ana):
    notify(workspace, ana, to="/w/acme/inbox/?seen=1")
    shown = client_of(ana).get(url("inbox")).content.decode()
    assert 'href="/w/acme/inbox/?seen=1" data-notice-link' in shown
    assert "js/notices" in shown


def test_opening_a_notice_that_leads_nowhere_stays_in_the_inbox(client_of, workspace, ana):
    [notice] = notify(workspace, ana, to="")
    assert client_of(ana).post(url("notice_open", pk=notice.pk))["Location"] == url("inbox")


@pytest.mark.parametrize("name", ["inbox", "notice_bell"])
def test_a_page_that_only_shows_refuses_to_be_posted_to(client_of, ana, name):
    assert client_of(ana).post(url(name)).status_code == 405


@pytest.mark.parametrize("name", ["notices_read", "notice_open"])
def test_what_changes_something_is_a_post(client_of, workspace, ana, name):
    [notice] = notify(workspace, ana)
    kwargs = {"pk": notice.pk} if name == "notice_open" else {}
    assert client_of(ana).get(url(name, **kwargs)).status_code == 405


def test_all_are_marked_as_read_but_not_those_of_others(client_of, workspace, ana, amir):
    notify(workspace, ana, amir)
    client_of(ana).post(url("notices_read"))
    assert Notification.objects.unread_of(ana, workspace).count() == 0
    assert Notification.objects.unread_of(amir, workspace).count() == 1


def test_the_bell_counts_what_is_unread(client_of, workspace, ana):
    notify(workspace, ana), notify(workspace, ana)
    answer = client_of(ana).get(url("notice_bell"), headers={"HX-Request": "true"})
    assert b"Inbox, 2 unread" in answer.content


def test_the_inbox_costs_few_queries_however_full(client_of, workspace, ana, django_assert_max_num_queries):
    for number in range(PAGE + 5):
        notify(workspace, ana, title=str(number))
    client = client_of(ana)
    with django_assert_max_num_queries(8):
        client.get(url("inbox"))

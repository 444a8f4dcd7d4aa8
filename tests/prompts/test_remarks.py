"""Talking about a request beside its words: anchors, answers, names, corrections."""

import pytest
from django.core import mail
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User, Workspace
from apps.accounts.rights import Role
from apps.core.errors import Conflict, DomainError, NotAllowed
from apps.notices.models import Notification
from apps.prompts import actions, anchors, discussion
from apps.prompts.models import ChangeRequest, Comment, CommentEdit, Version
from tests import factories
from tests.conftest import ClientOf

QUOTE = "You answer customers of a shop. Be brief."


@pytest.fixture
def remark(change_request: ChangeRequest, ravi: User) -> Comment:
    anchor = actions.Anchor(change_request.items.get().prompt_id, 0, QUOTE)
    return actions.comment_on_change_request(
        change_request=change_request, remark="CANARY too curt", anchor=anchor, acting_user=ravi
    )


def talk(request: ChangeRequest) -> discussion.Discussion:
    return discussion.of(ChangeRequest.objects.prefetch_related("items__version").get(pk=request.pk))


def test_a_remark_stands_beside_its_words(change_request: ChangeRequest, remark: Comment) -> None:
    [thread] = talk(change_request).beside[remark.prompt_id, 0]
    assert thread.first == remark
    assert not thread.is_outdated


def test_a_remark_whose_words_are_gone_is_outdated_and_still_there(
    change_request: ChangeRequest, remark: Comment, better: Version, paula: User
) -> None:
    actions.replace_version(change_request=change_request, version=better, acting_user=paula)
    found = talk(change_request)
    assert found.beside == {}
    assert [thread.is_outdated for thread in found.below] == [True]


def test_a_remark_follows_its_words_to_another_message(
    change_request: ChangeRequest, remark: Comment, version: Version, paula: User
) -> None:
    moved = factories.make_version(version.prompt, paula, messages=list(reversed(version.messages)))
    actions.replace_version(change_request=change_request, version=moved, acting_user=paula)
    assert list(talk(change_request).beside) == [(remark.prompt_id, 1)]


@pytest.mark.parametrize(("changed", "place"), [(True, "below"), (False, "beside")])
def test_a_remark_about_a_whole_message_is_outdated_when_that_changed(
    change_request: ChangeRequest, better: Version, ravi: User, paula: User, changed: bool, place: str
) -> None:
    anchor = actions.Anchor(better.prompt_id, 0 if changed else 1)
    actions.comment_on_change_request(change_request=change_request, remark="Hm", anchor=anchor, acting_user=ravi)
    actions.replace_version(change_request=change_request, version=better, acting_user=paula)
    assert getattr(talk(change_request), place)


@pytest.mark.parametrize(("message", "quote"), [(0, "never written"), (9, ""), (-1, "")])
def test_what_is_not_there_cannot_be_pointed_at(
    change_request: ChangeRequest, ravi: User, message: int, quote: str
) -> None:
    anchor = actions.Anchor(change_request.items.get().prompt_id, message, quote)
    with pytest.raises(Conflict, match="not there any more"):
        actions.comment_on_change_request(change_request=change_request, remark="x", anchor=anchor, acting_user=ravi)


def test_a_thread_is_answered_and_everybody_in_it_hears_once(
    change_request: ChangeRequest, remark: Comment, paula: User, ravi: User, olga: User
) -> None:
    Notification.objects.all().delete()
    actions.comment_on_change_request(
        change_request=change_request, remark="@Ravi like this?", reply_to=remark, acting_user=olga
    )
    assert set(Notification.objects.values_list("user__name", "kind")) == {("Ravi", "mention"), ("Paula", "comment")}


def test_an_answer_goes_to_the_beginning_of_a_thread(
    change_request: ChangeRequest, remark: Comment, olga: User
) -> None:
    answer = actions.comment_on_change_request(
        change_request=change_request, remark="a", reply_to=remark, acting_user=olga
    )
    with pytest.raises(DomainError, match="began the thread"):
        actions.comment_on_change_request(change_request=change_request, remark="b", reply_to=answer, acting_user=olga)


def test_names_of_strangers_and_of_those_who_cannot_look_notify_nobody(
    change_request: ChangeRequest, stranger: User, ana: User, fay: User, paula: User
) -> None:
    Notification.objects.all().delete()
    actions.comment_on_change_request(
        change_request=change_request, remark="@Stranger @Ana @Fay @Nobody", acting_user=paula
    )
    assert not Notification.objects.exists()


def test_notices_of_a_remark_hold_none_of_its_words(
    change_request: ChangeRequest, remark: Comment, paula: User, django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        actions.comment_on_change_request(change_request=change_request, remark="@Ravi CANARY", acting_user=paula)
    told = Notification.objects.values_list("title", "body")
    assert told
    assert "CANARY" not in str(list(told))
    assert QUOTE not in str(list(told))
    assert "CANARY" not in "".join(str(one.message()) for one in mail.outbox)


def test_a_correction_keeps_what_was_said_and_tells_new_names_only(
    change_request: ChangeRequest, remark: Comment, ravi: User, paula: User, olga: User
) -> None:
    actions.edit_comment(comment=remark, remark="Too curt, @Olga", acting_user=ravi)
    Notification.objects.all().delete()
    actions.edit_comment(comment=remark, remark="Too curt, @Olga!", acting_user=ravi)
    assert not Notification.objects.exists()
    assert [edit.text for edit in CommentEdit.objects.order_by("id")] == ["CANARY too curt", "Too curt, @Olga"]
    with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
        CommentEdit.objects.all().update(text="")


def test_only_its_author_corrects_a_remark(remark: Comment, paula: User) -> None:
    with pytest.raises(NotAllowed):
        actions.edit_comment(comment=remark, remark="Nicer", acting_user=paula)


def test_a_thread_is_resolved_and_opened_again(
    change_request: ChangeRequest, remark: Comment, paula: User, workspace: Workspace
) -> None:
    assert talk(change_request).open_threads == 1
    actions.resolve_comment(comment=remark, resolved=True, acting_user=paula)
    assert talk(change_request).open_threads == 0
    viewer = factories.make_member(workspace, "Vera", Role.VIEWER)
    with pytest.raises(NotAllowed):
        actions.resolve_comment(comment=remark, resolved=False, acting_user=viewer)


@given(st.lists(st.text(min_size=1, max_size=8), max_size=5), st.text(max_size=60))
def test_finding_names_never_breaks_and_finds_only_known_ones(names: list[str], remark: str) -> None:
    assert anchors.mentions(remark, names) <= set(names)


def test_of_two_names_that_begin_alike_the_longer_is_meant() -> None:
    assert anchors.mentions("ask @Ana Sousa, please", ["Ana", "Ana Sousa"]) == {"Ana Sousa"}
    assert anchors.mentions("mail a@Ana and @@Ana and @Anabel", ["Ana"]) == set()


# Through the pages


@pytest.fixture
def page_of_ravi(client_of: ClientOf, ravi: User) -> Client:
    return client_of(ravi)


def address(url_name: str, request: ChangeRequest, **more: int) -> str:
    return reverse(url_name, kwargs={"workspace": request.workspace.slug, "number": request.number, **more})


def test_a_remark_is_made_answered_changed_and_resolved_by_hand(
    page_of_ravi: Client, change_request: ChangeRequest
) -> None:
    prompt = change_request.items.get().prompt_id
    sent = {"text": "<b>curt</b>", "prompt": prompt, "message": 0, "quote": QUOTE}
    answer = page_of_ravi.post(address("change_request_comment", change_request), sent)
    comment = Comment.objects.get()
    assert answer.url.endswith(f"#comment-{comment.pk}")
    page_of_ravi.post(address("change_request_comment", change_request), {"text": "r", "reply_to": comment.pk})
    page_of_ravi.post(address("comment_edit", change_request, pk=comment.pk), {"text": "less <b>curt</b>"})
    page_of_ravi.post(address("comment_resolve", change_request, pk=comment.pk), {"resolved": "yes"})
    content = page_of_ravi.get(address("change_request_detail", change_request)).content.decode()
    assert "less &lt;b&gt;curt" in content
    assert "resolved by Ravi" in content


@pytest.mark.parametrize("sent", [{"text": ""}, {"text": "a\x00b"}, {"text": "x", "reply_to": "999"}])
def test_a_remark_that_cannot_be_kept_is_refused(
    page_of_ravi: Client, change_request: ChangeRequest, sent: dict[str, str]
) -> None:
    page_of_ravi.post(address("change_request_comment", change_request), sent)
    assert not Comment.objects.exists()


def test_a_remark_of_another_workspace_is_not_there(remark: Comment, client_of: ClientOf, stranger: User) -> None:
    elsewhere = stranger.memberships.get().workspace
    url = reverse("comment_edit", kwargs={"workspace": elsewhere.slug, "number": 1, "pk": remark.pk})
    assert client_of(stranger).post(url, {"text": "mine"}).status_code == 404

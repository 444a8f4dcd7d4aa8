"""Different actions at the same moment: each waits for the other, none is killed by a ring of locks."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from apps.accounts.models import User
from apps.core.errors import DomainError
from apps.prompts import actions
from apps.prompts.importing import Batch, Incoming, IncomingVersion
from apps.prompts.models import ChangeRequest, Deployment, Environment, Version
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
Work = Callable[[], object]
ROUNDS = 6


def at_once(*works: Work) -> list[object]:
    """Do all works at the same moment in threads of their own; return what each returned or refused."""
    outcomes: list[object] = [None] * len(works)
    start = threading.Barrier(len(works))

    def run(place: int, work: Work) -> None:
        start.wait()
        try:
            outcomes[place] = work()
        except Exception as error:  # noqa: BLE001  whatever a thread meets is what the test looks at
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def crashes(outcomes: list[object]) -> list[object]:
    return [outcome for outcome in outcomes if isinstance(outcome, Exception) and not isinstance(outcome, DomainError)]


def slowly(work: Work) -> Work:
    """Hold the transaction open for a moment after the work, so that the other meets its locks."""

    def held() -> object:
        with transaction.atomic():
            done = work()
            threading.Event().wait(0.3)
            return done

    return held


def test_a_comment_and_a_review_pass_each_other(change_request: ChangeRequest, ravi: User, paula: User) -> None:
    def comment() -> object:
        return actions.comment_on_change_request(change_request=change_request, remark="Hm.", acting_user=paula)

    def review() -> object:
        return actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)

    for pair in ((slowly(comment), review), (slowly(review), comment)):
        assert crashes(at_once(*pair)) == []


def test_a_new_prompt_and_a_new_request_pass_each_other(
    version: Version, environments: dict[str, Environment], paula: User
) -> None:
    def create() -> object:
        return actions.create_prompt(workspace=version.prompt.workspace, name="other", acting_user=paula)

    def ask() -> object:
        return actions.open_change_request(
            version=version, environment=environments["production"], title="Now", acting_user=paula
        )

    assert crashes(at_once(slowly(create), ask)) == []


def test_a_promotion_and_a_new_version_pass_each_other(
    version: Version, better: Version, environments: dict[str, Environment], paula: User
) -> None:
    draft = actions.open_draft(prompt=version.prompt, acting_user=paula)
    content = {**better.content(), "messages": [{"role": "user", "content": "New {{customer}} {{message}}"}]}
    draft = actions.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=paula)

    def deploy() -> object:
        return actions.deploy(version=version, environment=environments["dev"], actor=paula, replaces=None)

    def save() -> object:
        return actions.save_version(draft=draft, message="new", acting_user=paula)

    assert crashes(at_once(slowly(deploy), save)) == []


def test_two_people_promote_one_request_and_one_of_them_is_told(
    change_request: ChangeRequest, ravi: User, paula: User, olga: User
) -> None:
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    promote = [
        lambda person=person: actions.promote_change_request(change_request=change_request, actor=person)
        for person in (paula, olga)
    ]
    outcomes = at_once(*promote)
    assert crashes(outcomes) == []
    assert sum(isinstance(outcome, list) for outcome in outcomes) == 1
    assert Deployment.objects.count() == 1


def test_a_promotion_and_an_undo_leave_one_state_and_a_history_without_gaps(
    version: Version, better: Version, environments: dict[str, Environment], paula: User, olga: User
) -> None:
    dev = environments["dev"]
    first = actions.deploy(version=version, environment=dev, actor=paula, replaces=None)
    second = actions.deploy(version=better, environment=dev, actor=paula, replaces=first)
    third = factories.make_version(version.prompt, paula, message="third", model_config={"model": "x"})

    def promote() -> object:
        return actions.deploy(version=third, environment=dev, actor=olga, replaces=second)

    def undo() -> object:
        return actions.roll_back(
            prompt=version.prompt, environment=dev, to=first, replaces=second, actor=paula, reason="Worse."
        )

    outcomes = at_once(promote, undo)
    assert crashes(outcomes) == []
    assert sum(isinstance(outcome, Deployment) for outcome in outcomes) == 1
    assert Deployment.objects.current().filter(environment=dev).count() == 1


def test_a_folder_and_a_promotion_pass_each_other(
    change_request: ChangeRequest, environments: dict[str, Environment], ravi: User, paula: User
) -> None:
    place = environments["production"]
    actions.review_change_request(change_request=change_request, decision="approve", acting_user=ravi)
    prompt = change_request.items.get().prompt
    messages = [{"role": "system", "content": "From the folder."}, {"role": "user", "content": "{{message}}"}]
    batch = Batch("folder", [Incoming(prompt.name, prompt.kind, [IncomingVersion({"messages": messages}, "new")])])

    def apply() -> object:
        return actions.apply_folder(batch=batch, environment=place, title="Folder", acting_user=paula, dry_run=False)

    def promote() -> object:
        return actions.promote_change_request(change_request=change_request, actor=paula)

    outcomes = at_once(slowly(apply), promote)
    assert crashes(outcomes) == []
    assert Deployment.objects.current().filter(environment=place).count() == 1


def test_labels_moved_in_both_orders_pass_each_other(version: Version, paula: User) -> None:
    other = factories.make_version(version.prompt, paula, message="other")

    def move(one: Version, names: tuple[str, str]) -> Work:
        return lambda: [actions.move_label(version=one, name=name, actor=paula) for name in names]

    for _ in range(ROUNDS):
        pair = (move(version, ("a", "b")), move(other, ("b", "a")))
        assert crashes(at_once(*map(slowly, pair))) == []
    assert version.prompt.labels.count() == 2


def test_an_import_and_a_version_with_a_reference_pass_each_other(version: Version, paula: User) -> None:
    workspace = version.prompt.workspace
    child = factories.make_prompt(workspace, "tone", kind="text")
    plain = [{"role": "user", "content": "Be warm."}]
    factories.make_version(child, paula, messages=plain, variables=[])
    tag = [{"role": "user", "content": "@@@langfusePrompt:name=tone|version=1@@@ {{message}}"}]
    parent = factories.make_prompt(workspace, "reply", kind="text")
    incoming = [
        Incoming("tone", "text", [IncomingVersion({"messages": [{"role": "user", "content": "Be kind."}]}, "k")]),
        Incoming("reply", "text", [IncomingVersion({"messages": tag}, "in")]),
    ]

    def take_in() -> object:
        return actions.import_prompts(
            workspace=workspace, batch=Batch("files", incoming), acting_user=paula, dry_run=False
        )

    def save() -> object:
        draft = actions.open_draft(prompt=parent, acting_user=paula)
        content = {"messages": tag, "format": "mustache", "variables": [], "model_config": {}}
        draft = actions.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=paula)
        return actions.save_version(draft=draft, message="By hand", acting_user=paula)

    assert crashes(at_once(slowly(take_in), save)) == []
    assert crashes(at_once(slowly(save), take_in)) == []

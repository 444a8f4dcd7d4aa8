"""The scene of the state machine: a desk with two prompts and six people, and what its rules share."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from apps.accounts import audit
from apps.accounts.models import Membership
from apps.accounts.rights import Right, Role
from apps.core.errors import DomainError
from apps.prompts import dossiers
from apps.prompts.models import ChangeRequest, Deployment, Dossier, Version
from tests import factories
from tests.prompts.request_model import Person, Rules, Wish


class Scene(RuleBasedStateMachine):
    """A workspace as it begins, beside the model that is told of everything that happens in it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = transaction.atomic()
        self.opened.__enter__()
        self.workspace = factories.make_workspace("machine")
        roles = {
            "paula": (Role.EDITOR, Role.PUBLISHER),
            "ravi": (Role.REVIEWER,),
            "rosa": (Role.REVIEWER,),
            "olga": (Role.ADMIN,),
            "eve": (Role.EDITOR, Role.REVIEWER),
            "otto": (Role.PUBLISHER, Role.ON_CALL),
        }
        self.users = {
            name: factories.make_member(self.workspace, name.title(), *held, environments=["*"])
            for name, held in roles.items()
        }
        self.rules = Rules(people={user.pk: Person() for user in self.users.values()})
        self.look_at_rights()
        self.place = factories.make_environments(self.workspace)["production"]
        self.key, _ = factories.make_api_key(self.workspace, "prompts:promote:production")
        self.writing_key, _ = factories.make_api_key(self.workspace, "prompts:draft", "prompts:promote:staging")
        self.reports = 0
        self.versions: list[Version] = []
        for name in ("one", "two"):
            prompt = factories.make_prompt(self.workspace, name)
            for number, author in enumerate((self.users["paula"], self.users["eve"], self.users["paula"])):
                made = factories.make_version(
                    prompt, author, message=f"m{number}", output_schema={"title": str(number)}
                )
                self.rules.writers[made.pk] = author.pk
                self.versions.append(made)

    def teardown(self) -> None:
        assert list(audit.breaks(self.workspace)) == []
        for dossier in Dossier.objects.filter(change_request__workspace=self.workspace):
            assert dossiers.digest(dossier.body) == dossier.hash
        transaction.set_rollback(True)
        self.opened.__exit__(None, None, None)

    # What the rules below share

    def look_at_rights(self) -> None:
        for member in Membership.objects.filter(workspace=self.workspace):
            person = self.rules.people[member.user_id]
            person.reviews = bool({"reviewer", "admin"} & set(member.roles))
            person.promotes = bool({"publisher", "admin"} & set(member.roles))
            person.bypasses = member.may(Right.BYPASS)

    def tried(self, work: Callable[[], Any]) -> Any:
        """Return what an action made, None when it refused."""
        try:
            return work()
        except DomainError:
            return None

    def version(self, number: int) -> Version:
        return self.versions[number % len(self.versions)]

    def wish(self, number: int) -> tuple[ChangeRequest, Wish]:
        key = sorted(self.rules.wishes)[number % len(self.rules.wishes)]
        return ChangeRequest.objects.get(pk=key), self.rules.wishes[key]

    def read_items(self, request: ChangeRequest, wish: Wish) -> None:
        """Believe the rows about what is asked for; what that allows is for the model to say."""
        wish.items = {item.prompt_id: (item.version_id, item.base_id) for item in request.items.all()}
        assert wish.items or wish.is_draft

    def read_opened(self, request: ChangeRequest, wish: Wish) -> None:
        wish.is_draft = False
        self.read_items(request, wish)

    def went_live(self, made: list[Deployment]) -> None:
        for deployment in made:
            version = None if deployment.kind == "take_down" else deployment.arms.get().version_id
            self.rules.went_live(deployment, version)

    def deployed_of(self, request: ChangeRequest) -> list[Deployment]:
        return list(request.deployments.filter(kind="deploy").order_by("pk"))

"""Who may decide what in a workspace today: read once, for however many requests are judged."""

from functools import cached_property

from apps.accounts.models import Membership
from apps.accounts.rights import Right
from apps.prompts.models import Environment


class Roster:
    """The members of a workspace by what they may decide, as ids of users."""

    def __init__(self, workspace_id: int) -> None:
        self._workspace_id = workspace_id

    @cached_property
    def _members(self) -> list[Membership]:
        return list(Membership.objects.filter(workspace=self._workspace_id, user__is_active=True))

    @cached_property
    def reviewers(self) -> set[int]:
        """All who may review."""
        return {member.user_id for member in self._members if member.may(Right.REVIEW)}

    @cached_property
    def budget_holders(self) -> set[int]:
        """All who may approve what is spent."""
        return {member.user_id for member in self._members if member.may(Right.MANAGE_BUDGETS)}

    def promoters(self, environment: Environment) -> set[int]:
        """All who may change what is live in the environment: by their rights and by its policy."""
        return {member.user_id for member in self._members if environment.may_be_changed_by(member)}

"""What people decide about texts and kept answers."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least

from apps.accounts import audit
from apps.accounts.models import User, Workspace
from apps.core.errors import DomainError
from apps.llm import cache, policies, tasks
from apps.llm.models import BodyPolicy, CachedAnswer

LONGEST_DAYS = 3_650
LONGEST_REUSE = 24 * 365


class ReuseNeedsTexts(DomainError):
    """Answers that are not kept, or not that long, cannot be used again."""


@transaction.atomic
def change_keeping(
    *, workspace: Workspace, kept: str, days: int | None, reuse_hours: int, acting_user: User
) -> BodyPolicy:
    """Decide what is kept from now on. What is stored already follows: answers at once, texts by the next sweep.

    Raises ReuseNeedsTexts when answers would be used again that are not kept for so long.
    """
    _check(kept, days, reuse_hours)
    BodyPolicy.objects.get_or_create(workspace=workspace)
    policy = BodyPolicy.objects.select_for_update().get(workspace=workspace)
    before = _shown(policy)
    policy.kept, policy.days, policy.reuse_hours = kept, days, reuse_hours
    policy.full_clean()
    policy.save()
    _shorten_answers(policy)
    tasks.sweep_bodies.delay_on_commit()
    transaction.on_commit(policies.forget)
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="changed what is kept",
        target=policy,
        before=before,
        after=_shown(policy),
    )
    return policy


def _check(kept: str, days: int | None, reuse_hours: int) -> None:
    if kept not in BodyPolicy.Kept.values:
        raise DomainError("Choose what is kept.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise DomainError(f"Texts can be kept for 1 to {LONGEST_DAYS:,} days, or without an end.")
    if not 0 <= reuse_hours <= LONGEST_REUSE:
        raise DomainError(f"Answers can be used again for up to {LONGEST_REUSE:,} hours.")
    if reuse_hours and kept != BodyPolicy.Kept.FULL:
        raise ReuseNeedsTexts("Answers can only be used again where everything is kept. Set their hours to 0.")
    if days is not None and reuse_hours > days * 24:
        raise ReuseNeedsTexts(f"Texts go after {days} days, so answers cannot be used again after {reuse_hours} hours.")


def _shorten_answers(policy: BodyPolicy) -> None:
    """Let kept answers serve no longer than new ones would."""
    if policy.reuse_for is None:
        cache.purge(workspace=policy.workspace)
        return
    hours: timedelta = policy.reuse_for
    kept = CachedAnswer.objects.filter(workspace=policy.workspace, expires_at__gt=F("created_at") + hours)
    kept.update(expires_at=Least(F("expires_at"), F("created_at") + hours))


@transaction.atomic
def purge_answers(*, workspace: Workspace, prompt_id: int | None = None, acting_user: User) -> int:
    """Forget the kept answers, or those to one prompt, so that the next one is asked for; return how many there were."""
    purged = cache.purge(workspace=workspace, prompt_id=prompt_id)
    audit.record(
        workspace=workspace,
        actor=acting_user,
        verb="forgot kept answers",
        target=workspace,
        after={"answers": purged} | ({"prompt": prompt_id} if prompt_id else {}),
    )
    return purged


def _shown(policy: BodyPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in ("kept", "days", "reuse_hours")}

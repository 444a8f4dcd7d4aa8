"""The list of prompts, read in few queries: which rows, what each says, and how the list can be narrowed."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import BooleanField, Case, Count, F, OuterRef, Subquery, When
from django.db.models.functions import Coalesce

from apps.accounts.models import Workspace
from apps.prompts import folders
from apps.prompts.models import ChangeRequestItem, DeploymentArm, Environment, Fetch, Prompt, Version
from apps.prompts.models.changes import ChangeRequest
from apps.prompts.models.prompts import PromptQuerySet

SORTS = {"name": "Name", "changed": "Last change", "served": "Last served"}
MAX_TAGS = 40


@dataclass(frozen=True)
class Filters:
    """How a person narrowed the list."""

    query: str = ""
    folder: str = ""
    tag: str = ""
    owner: int | None = None
    archived: bool = False
    sort: str = "name"

    @property
    def is_narrowed(self) -> bool:
        return bool(self.query or self.folder or self.tag or self.owner or self.archived)


@dataclass(frozen=True)
class Place:
    """What is live somewhere, and whether that differs from the place before it."""

    environment: Environment
    number: int
    differs: bool


@dataclass(frozen=True)
class Row:
    """A prompt with what its row says of it."""

    prompt: Prompt
    live: list[Place]

    @property
    def shown_number(self) -> int | None:
        """Return the version that counts: what is live highest up, else the newest."""
        newest: int | None = self.prompt.newest_number  # type: ignore[attr-defined]
        return self.live[-1].number if self.live else newest


def found(workspace: Workspace, filters: Filters) -> PromptQuerySet:
    """Return the prompts that the filters leave, in order; what a row says is loaded by `rows`."""
    prompts = (
        workspace.prompts.in_hand(archived=filters.archived)
        .in_folder(filters.folder)
        .tagged(filters.tag)
        .owned_by(filters.owner)
        .matching(filters.query)
    )
    return _ordered(prompts, filters)


def _ordered(prompts: PromptQuerySet, filters: Filters) -> PromptQuerySet:
    if filters.sort == "changed":
        return prompts.annotate(changed_at=_newest("created_at")).order_by(
            Coalesce("changed_at", "created_at").desc(), "id"
        )
    if filters.sort == "served":
        return prompts.annotate(served_at=_served()).order_by(F("served_at").desc(nulls_last=True), "name", "id")
    if filters.query:
        named = Case(When(name__icontains=filters.query, then=True), default=False, output_field=BooleanField())
        return prompts.annotate(is_named=named).order_by("-is_named", "name", "id")
    return prompts.order_by("name", "id")


def rows(ids: list[int]) -> list[Row]:
    """Load what the rows of one page say: pills, newest version and its author, requests, parents, last fetch."""
    waiting = ChangeRequestItem.objects.filter(
        prompt=OuterRef("pk"), change_request__state__in=ChangeRequest.WAITING
    ).order_by()
    parents = Version.objects.filter(references__child=OuterRef("pk"), prompt__archived_at=None).order_by()
    loaded = (
        Prompt.objects.filter(pk__in=ids)
        .select_related("owner")
        .annotate(
            newest_number=_newest("number"),
            newest_id=_newest("pk"),
            newest_at=_newest("created_at"),
            newest_by=_newest("author__name"),
            served_at=_served(),
            open_requests=Coalesce(
                Subquery(waiting.values("prompt").annotate(n=Count("change_request", distinct=True)).values("n")), 0
            ),
            used_by=Coalesce(
                Subquery(parents.values("references__child").annotate(n=Count("prompt", distinct=True)).values("n")),
                0,
            ),
        )
    )
    by_id = {prompt.pk: prompt for prompt in loaded}
    live = _live(ids)
    return [Row(by_id[pk], live.get(pk, [])) for pk in ids if pk in by_id]


def _live(ids: list[int]) -> dict[int, list[Place]]:
    """Return where prompts are live, lowest place first, without their texts."""
    arms = (
        DeploymentArm.objects.live()
        .filter(deployment__prompt__in=ids)
        .select_related("deployment__environment")
        .annotate(number=F("version__number"))
        .order_by("deployment__prompt", "deployment__environment__rank", "-weight", "-pk")
    )
    found: dict[int, list[Place]] = {}
    for arm in arms:
        places = found.setdefault(arm.deployment.prompt_id, [])
        environment = arm.deployment.environment
        if not places or places[-1].environment.pk != environment.pk:
            number: int = arm.number  # type: ignore[attr-defined]
            differs = bool(places) and places[-1].number != number
            places.append(Place(environment, number, differs))
    return found


def _newest(field: str) -> Subquery:
    return Subquery(Version.objects.filter(prompt=OuterRef("pk")).order_by("-number").values(field)[:1])


def _served() -> Subquery:
    return Subquery(Fetch.objects.filter(prompt=OuterRef("pk")).order_by("-last_at").values("last_at")[:1])


# What narrows the list, in one trip: folders, the most used tags, and who owns something, each with a number of prompts.
_SIDES = """
WITH here AS (SELECT name, tags FROM prompts_prompt WHERE workspace_id = %(workspace)s AND (archived_at IS NOT NULL) = %(archived)s)
SELECT 'folder', regexp_replace(name, '/[^/]*$', ''), count(*), NULL::bigint FROM here WHERE name LIKE '%%/%%' GROUP BY 2
UNION ALL
(SELECT 'tag', tag, count(*), NULL::bigint FROM here, unnest(tags) AS tag GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(tags)s)
UNION ALL
SELECT 'owner', coalesce(nullif(u.name, ''), u.email), count(*), u.id
FROM prompts_prompt p JOIN accounts_user u ON u.id = p.owner_id WHERE p.workspace_id = %(workspace)s GROUP BY u.id
"""


@dataclass(frozen=True)
class Sides:
    """What stands beside the list to narrow it: folders, (tag, number of prompts), and (user id, name) of owners."""

    tree: list[folders.Folder]
    tags: list[tuple[str, int]]
    owners: list[tuple[int, str]]


def sides_of(workspace: Workspace, filters: Filters) -> Sides:
    """Read what narrows the list; the folders are open on the way to where the list stands."""
    with connection.cursor() as cursor:
        cursor.execute(_SIDES, {"workspace": workspace.pk, "archived": filters.archived, "tags": MAX_TAGS})
        rows: list[tuple[str, str, int, int]] = cursor.fetchall()
    return Sides(
        tree=folders.tree([(name, count) for kind, name, count, _ in rows if kind == "folder"], filters.folder),
        tags=[(name, count) for kind, name, count, _ in rows if kind == "tag"],
        owners=sorted(
            [(pk, name) for kind, name, _, pk in rows if kind == "owner"], key=lambda owner: owner[1].casefold()
        ),
    )

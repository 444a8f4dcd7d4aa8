"""The question that every workspace starts with."""

from apps.accounts.models import Workspace
from apps.reviews.models import Rating, Rubric, RubricVersion

NAME = "Which answer is better?"
INSTRUCTIONS = (
    "Imagine that you asked this. Read both answers to the end, then choose the one you would rather get: right first, "
    "then complete, then clear and polite. Longer is not better by itself."
)
ANCHORS = {
    Rating.Answer.A.value: "You would rather get the answer on the left.",
    Rating.Answer.B.value: "You would rather get the answer on the right.",
    Rating.Answer.TIE.value: "Both are good, and you would not mind which one you get.",
    Rating.Answer.BOTH_BAD.value: "You would send neither of them to anyone.",
}


def pairwise(workspace: Workspace) -> RubricVersion:
    """Return the newest wording of the pairwise question, writing the first one when there is none."""
    rubric, _ = Rubric.objects.get_or_create(workspace=workspace, name=NAME)
    newest = rubric.versions.order_by("-number").first()
    if newest:
        return newest
    version, _ = RubricVersion.objects.get_or_create(
        rubric=rubric,
        number=1,
        defaults={
            "question": NAME,
            "instructions": INSTRUCTIONS,
            "criteria": [{"name": "Preference", "anchors": ANCHORS}],
        },
    )
    return version

from apps.prompts.models.changes import Approval, ChangeRequest, ChangeRequestItem, Check, Comment, Dossier
from apps.prompts.models.deployments import Deployment, DeploymentArm, Environment
from apps.prompts.models.epochs import DeliveryEpoch
from apps.prompts.models.fetches import Fetch
from apps.prompts.models.labels import Label
from apps.prompts.models.prompts import Draft, Prompt, Version
from apps.prompts.models.references import VersionReference
from apps.prompts.models.search import PromptWords

__all__ = [
    "Approval",
    "ChangeRequest",
    "ChangeRequestItem",
    "Check",
    "Comment",
    "DeliveryEpoch",
    "Deployment",
    "DeploymentArm",
    "Dossier",
    "Draft",
    "Environment",
    "Fetch",
    "Label",
    "Prompt",
    "PromptWords",
    "Version",
    "VersionReference",
]

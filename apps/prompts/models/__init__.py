from apps.prompts.models.changes import Approval, ChangeRequest, ChangeRequestItem, Check, Comment, Dossier
from apps.prompts.models.deployments import Deployment, DeploymentArm, Environment
from apps.prompts.models.input_sets import InputSet
from apps.prompts.models.prompts import Draft, Prompt, Version

__all__ = [
    "Approval",
    "ChangeRequest",
    "ChangeRequestItem",
    "Check",
    "Comment",
    "Deployment",
    "DeploymentArm",
    "Dossier",
    "Draft",
    "Environment",
    "InputSet",
    "Prompt",
    "Version",
]

from apps.prompts.models.changes import Approval, ChangeRequest, ChangeRequestItem, Check, Comment, Dossier
from apps.prompts.models.deployments import Deployment, DeploymentArm, Environment
from apps.prompts.models.exceptions import AcceptedFailure, FollowUp, SpendApproval
from apps.prompts.models.prompts import Draft, Prompt, Version

__all__ = [
    "AcceptedFailure",
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
    "FollowUp",
    "Prompt",
    "SpendApproval",
    "Version",
]

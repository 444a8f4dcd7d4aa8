from apps.prompts.models.changes import Approval, AskedReviewer, ChangeRequest, ChangeRequestItem, Check, Dossier
from apps.prompts.models.deployments import Deployment, DeploymentArm, Environment
from apps.prompts.models.discussions import Comment, CommentEdit
from apps.prompts.models.prompts import Draft, Prompt, Version

__all__ = [
    "Approval",
    "AskedReviewer",
    "ChangeRequest",
    "ChangeRequestItem",
    "Check",
    "Comment",
    "CommentEdit",
    "Deployment",
    "DeploymentArm",
    "Dossier",
    "Draft",
    "Environment",
    "Prompt",
    "Version",
]

from apps.prompts.models.changes import Approval, AskedReviewer, ChangeRequest, ChangeRequestItem, Check, Dossier
from apps.prompts.models.deployments import Deployment, DeploymentArm, Environment
from apps.prompts.models.discussions import Comment, CommentEdit
from apps.prompts.models.epochs import DeliveryEpoch
from apps.prompts.models.exceptions import AcceptedFailure, FollowUp, SpendApproval
from apps.prompts.models.fetches import Fetch
from apps.prompts.models.input_sets import InputSet
from apps.prompts.models.labels import Label
from apps.prompts.models.prompts import Draft, Prompt, Version
from apps.prompts.models.references import VersionReference

__all__ = [
    "AcceptedFailure",
    "Approval",
    "AskedReviewer",
    "ChangeRequest",
    "ChangeRequestItem",
    "Check",
    "Comment",
    "CommentEdit",
    "DeliveryEpoch",
    "Deployment",
    "DeploymentArm",
    "Dossier",
    "Draft",
    "Environment",
    "Fetch",
    "FollowUp",
    "InputSet",
    "Label",
    "Prompt",
    "SpendApproval",
    "Version",
    "VersionReference",
]

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.forms import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts import actions
from apps.accounts.models import Invitation, User

SESSION_KEY = "invitation"
LAST_WORKSPACE = "workspace"


def remember_invitation(request: HttpRequest, invitation: Invitation) -> None:
    """Keep in the session which invitation's link this person opened."""
    request.session[SESSION_KEY] = invitation.token_hash


def remembered_invitation(request: HttpRequest) -> Invitation | None:
    """Return the invitation whose link was opened, while it is still open."""
    open_ones = Invitation.objects.open(timezone.now()).select_related("workspace", "team")
    return open_ones.filter(token_hash=request.session.get(SESSION_KEY, "")).first()


class InvitedOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Let people sign up who opened an invitation's link, with the address that it was written to."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": "Too many wrong passwords. Wait five minutes, then try again, or reset the password.",
        "email_password_mismatch": "That e-mail address and password do not belong together.",
        "email_taken": "You already have an account. Sign in, then open the invitation's link again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return remembered_invitation(request) is not None

    def clean_email(self, email: str) -> str:
        """Refuse every address but the invited one when somebody signs up, and to change it later.

        Addresses are not verified by a second e-mail: the invitation is what ties a person to theirs.
        """
        match = getattr(self.request, "resolver_match", None)
        if match is not None and match.url_name == "account_email":
            raise ValidationError("An account keeps its address. Ask an admin to invite the new one.")
        if match is not None and match.url_name == "account_signup":
            invitation = remembered_invitation(self.request)
            if invitation is None or invitation.email != email.lower():
                raise ValidationError("Use the address that the invitation was sent to.")
            if User.objects.filter(email__iexact=email).exists():
                raise self.validation_error("email_taken")
        return email

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Store the person and accept the invitation: both or neither. Raises InvitationGone."""
        invitation = remembered_invitation(request)
        if invitation is None:
            raise actions.InvitationGone("This invitation does not work any more. Ask for a new one.")
        user.name = form.cleaned_data["name"]
        with transaction.atomic():
            super().save_user(request, user, form, commit=True)
            actions.accept_invitation(invitation=invitation, acting_user=user)
        request.session.pop(SESSION_KEY, None)
        request.session[LAST_WORKSPACE] = invitation.workspace.slug
        return user

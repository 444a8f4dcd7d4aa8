from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.http import HttpRequest

from apps.accounts.models import Membership, Team, User, Workspace
from apps.accounts.models.workspaces import check_time_zone
from apps.accounts.rights import PROMOTE_PREFIX, READ_PREFIX, ROLE_HELP, Role, Scope

DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class NameForm(forms.Form):
    """What a new person is asked besides e-mail and password; allauth builds its sign-up form on it."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "email", "password1"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Do nothing more: the adapter stores the name together with the person."""


class ProfileForm(forms.Form):
    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))


class WorkspaceForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120)
    time_zone = forms.CharField(
        label="Time zone",
        max_length=60,
        validators=[check_time_zone],
        help_text="Days and months begin and end here: it decides which month a call is booked in.",
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}),
    )
    currency = forms.RegexField(
        regex=r"^[A-Z]{3}$",
        label="Currency",
        help_text="Three capital letters, like EUR: the unit of every price here. Amounts already booked are not converted.",
        error_messages={"invalid": "Write the currency as its three capital letters, like EUR."},
        widget=forms.TextInput(attrs={"maxlength": "3", "class": "text-uppercase", "autocomplete": "off"}),
    )

    @property
    def time_zones(self) -> list[str]:
        return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))


class TeamForm(forms.Form):
    name = forms.CharField(label="Name", max_length=80, widget=forms.TextInput(attrs={"placeholder": "Support"}))
    cost_centre = forms.CharField(
        label="Cost centre",
        max_length=40,
        required=False,
        help_text="The number that finance books this team's spend on.",
        widget=forms.TextInput(attrs={"placeholder": "CC-100"}),
    )


@dataclass(frozen=True)
class Choice:
    """One checkbox with the sentence that explains it."""

    value: str
    label: str
    help: str
    checked: bool


class GrantForm(forms.Form):
    """What a member may do: roles as words, environments for publishers, a team."""

    roles = forms.MultipleChoiceField(choices=Role.choices, error_messages={"required": "Choose at least one role."})
    environments = forms.CharField(
        label="Environments for a publisher",
        required=False,
        max_length=400,
        help_text="Names separated by commas, or * for all of them. Only a publisher needs them.",
        widget=forms.TextInput(attrs={"placeholder": "staging, production", "autocomplete": "off"}),
    )
    team = forms.ModelChoiceField(label="Team", queryset=Team.objects.none(), required=False, empty_label="No team")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = workspace.teams.order_by("name", "id")  # type: ignore[attr-defined]

    def clean_environments(self) -> list[str]:
        return [name.strip() for name in self.cleaned_data["environments"].split(",") if name.strip()]

    @property
    def role_choices(self) -> list[Choice]:
        chosen = self["roles"].value() or []
        return [Choice(role.value, role.label, ROLE_HELP[role], role.value in chosen) for role in Role]

    @staticmethod
    def initial_of(membership: Membership) -> dict[str, Any]:
        return {
            "roles": membership.roles,
            "environments": ", ".join(membership.environments),
            "team": membership.team_id,
        }


class InvitationForm(GrantForm):
    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "off", "placeholder": "name@company.com"}),
    )


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="What uses it: one key per program, so that one can be revoked without the others.",
        widget=forms.TextInput(attrs={"placeholder": "checkout service", "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(choices=Scope.choices, required=False)
    read = forms.CharField(
        label="Environments that it may fetch from, and nothing else",
        required=False,
        max_length=400,
        help_text="Instead of fetching everything: names separated by commas. It sees only what is live there.",
        widget=forms.TextInput(attrs={"placeholder": "production", "autocomplete": "off"}),
    )
    promote = forms.CharField(
        label="Environments where it may put versions live",
        required=False,
        max_length=400,
        help_text="Names separated by commas. Leave empty for none.",
        widget=forms.TextInput(attrs={"placeholder": "staging", "autocomplete": "off"}),
    )
    team = forms.ModelChoiceField(
        label="Team that pays", queryset=Team.objects.none(), required=False, empty_label="No team"
    )
    expires = forms.DateField(
        label="Last day", required=False, widget=DATE, help_text="The key stops at the end of that day. Empty: never."
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        self.fields["team"].queryset = workspace.teams.order_by("name", "id")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for field, prefix in (("read", READ_PREFIX), ("promote", PROMOTE_PREFIX)):
            places = [name.strip() for name in values.get(field, "").split(",") if name.strip()]
            values["scopes"] = [*values.get("scopes", []), *(prefix + name for name in places)]
        if not values["scopes"]:
            self.add_error("scopes", "Choose at least one thing that the key may do.")
        expires = values.get("expires")
        values["expires_at"] = midnight(expires + timedelta(days=1), self.workspace.zone) if expires else None
        return values

    @property
    def scope_choices(self) -> list[Choice]:
        chosen = self["scopes"].value() or []
        return [Choice(scope.value, scope.label.capitalize(), scope.value, scope.value in chosen) for scope in Scope]


class AuditFilterForm(forms.Form):
    """Narrow the audit log; every field may stay empty."""

    person = forms.ChoiceField(label="Who", required=False)
    verb = forms.ChoiceField(label="Did", required=False)
    target = forms.CharField(label="To what", required=False, max_length=120)
    since = forms.DateField(label="From", required=False, widget=DATE)
    until = forms.DateField(label="To", required=False, widget=DATE)

    def __init__(self, *args: Any, people: Iterable[str] = (), verbs: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, everything, values in (("person", "Everybody", people), ("verb", "Anything", verbs)):
            # An address that was kept may name what is no longer among the latest.
            asked = str(self.data.get(name, ""))
            known = sorted({*values, *filter(None, [asked])}, key=str.casefold)
            choices = [("", everything), *((value, value[:1].upper() + value[1:]) for value in known)]
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since and until and since > until:
            self.add_error(None, "“From” is a later day than “To”, so no event lies between them.")
        return values

    def terms(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return what `AuditEventQuerySet.matching` takes; a field that is not understood filters nothing."""
        values = self.cleaned_data if self.is_valid() else getattr(self, "cleaned_data", {})
        since, until = values.get("since"), values.get("until")
        return {
            **{name: values.get(name, "") for name in ("person", "verb", "target")},
            "since": midnight(since, zone) if since else None,
            "until": midnight(until + timedelta(days=1), zone) if until else None,
        }


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)

"""The shapes of what people enter here."""

from apps.llm.forms.connections import ConnectionEditForm, ConnectionForm, KeyField, KeyForm
from apps.llm.forms.models import EstimatorForm, FactsForm, FinderForm, ModelForm
from apps.llm.forms.traces import CallFilterForm

__all__ = [
    "CallFilterForm",
    "ConnectionEditForm",
    "ConnectionForm",
    "EstimatorForm",
    "FactsForm",
    "FinderForm",
    "KeyField",
    "KeyForm",
    "ModelForm",
]

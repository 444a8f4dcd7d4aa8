"""What programs ask of the books and tell them."""

from django.urls import path

from apps.costs.api.charges import ChargesView
from apps.costs.api.otlp import TracesView
from apps.costs.api.spend import SpendView

urlpatterns = [
    path("spend", SpendView.as_view(), name="api_spend"),
    path("charges", ChargesView.as_view(), name="api_charges"),
    # For exporters whose base address is ours: they append the rest.
    path("otlp/v1/traces", TracesView.as_view(), name="api_otlp_traces"),
]

from django.urls import path

from apps.costs import views

urlpatterns = [
    path("", views.spend_month, name="spend_month"),
    path("charges/", views.spend_charges, name="spend_charges"),
    path("charges.csv", views.spend_charges_csv, name="spend_charges_csv"),
    path("prices/", views.price_list, name="price_list"),
    path("prices/history/", views.price_history, name="price_history"),
    path("prices/new/", views.price_new, name="price_new"),
]

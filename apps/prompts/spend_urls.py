from django.urls import path

from apps.prompts import views

urlpatterns = [
    path("approvals/", views.spend_approval_list, name="spend_approval_list"),
    path("approvals/<int:number>/", views.spend_approval, name="spend_approval"),
    path("approvals/<int:number>/decide/", views.spend_decide, name="spend_decide"),
]

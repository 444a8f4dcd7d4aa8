"""A small API to knock at with keys."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.api_access import scoped


class Read(APIView):
    permission_classes = [scoped("prompts:read")]

    def get(self, request: Request) -> Response:
        return Response({"workspace": request.auth.workspace.slug, "teams": request.auth.workspace.teams.count()})


class Undeclared(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [path("read/", Read.as_view()), path("undeclared/", Undeclared.as_view())]

"""Prompts in from elsewhere, first as a report, then for good; and out as files."""

import base64
import secrets
from urllib.parse import quote

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import requires
from apps.accounts.rights import Right
from apps.core import text
from apps.core.errors import DomainError
from apps.core.htmx import HttpRequest, page
from apps.prompts import actions, exporting, importing, langfuse_source
from apps.prompts.importing import Batch
from apps.prompts.library_forms import ImportForm
from apps.prompts.views.prompts import find

KEPT_SECONDS = 3_600


@require_http_methods(["GET", "POST"])
@requires(Right.EDIT)
def prompt_import(request: HttpRequest) -> HttpResponse:
    """Read what is given and show what would come of it; nothing is kept but for the hour in which one may agree."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if request.method == "POST" and form.is_valid():
        try:
            batch = _read(form)
            report = _run(request, batch, dry_run=True)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            token = _keep(request, batch)
            return page(request, "prompts/prompt_import_report.html", {"report": report, "token": token})
    return page(request, "prompts/prompt_import.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@requires(Right.EDIT)
def prompt_import_apply(request: HttpRequest) -> HttpResponse:
    """Take in what the report said."""
    batch = cache.get(_key(request, request.POST.get("token", "")))
    if not isinstance(batch, Batch):
        messages.warning(request, "That import waited for over an hour. Choose the file again.")
        return redirect("prompt_import", workspace=request.workspace.slug)
    report = _run(request, batch, dry_run=False)
    cache.delete_many([_key(request, request.POST.get("token", ""))])
    messages.success(request, f"Imported: {report.sentence}")
    return page(request, "prompts/prompt_import_report.html", {"report": report, "token": ""})


def _read(form: ImportForm) -> Batch:
    data = form.cleaned_data
    if data["url"]:
        return langfuse_source.fetch(data["url"], data["public_key"], data["secret_key"])
    if data["file"]:
        return importing.read(data["file"].name, data["file"].read(importing.MAX_BYTES + 1))
    return importing.read("What was pasted", data["pasted"].encode())


def _run(request: HttpRequest, batch: Batch, *, dry_run: bool) -> "actions.Report":
    return actions.import_prompts(workspace=request.workspace, batch=batch, acting_user=request.user, dry_run=dry_run)


def _keep(request: HttpRequest, batch: Batch) -> str:
    token = secrets.token_urlsafe(16)
    cache.set(_key(request, token), batch, KEPT_SECONDS)
    return token


def _key(request: HttpRequest, token: str) -> str:
    """Return where an import waits: only the person who read it finds it again."""
    asked = base64.urlsafe_b64encode(token[:40].encode()).decode()
    return f"prompt-import:{request.workspace.pk}:{request.user.pk}:{asked}"


@require_GET
@requires(Right.VIEW)
def prompt_export(request: HttpRequest, prompt_id: int) -> HttpResponse:
    prompt = find(request, prompt_id)
    number = text.whole_number(request.GET.get("version", ""))
    body = exporting.file_of(prompt, number=number)
    name = prompt.name.rpartition("/")[2] + (f"-v{number}" if number else "")
    return _download(body.encode(), f"{name}.yaml", "application/yaml")


@require_GET
@requires(Right.VIEW)
def prompt_export_all(request: HttpRequest) -> HttpResponse:
    folder = request.GET.get("folder", "").replace("\x00", "")[:255].strip("/")
    body = exporting.archive_of(request.workspace.prompts.active().in_folder(folder))
    name = folder.replace("/", "-") or request.workspace.slug
    return _download(body, f"{name}-prompts.zip", "application/zip")


def _download(body: bytes, name: str, kind: str) -> HttpResponse:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return HttpResponse(body, content_type=kind, headers=headers)

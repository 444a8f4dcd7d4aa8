"""The model finder and the estimator: questions to the catalogue, each with an address that can be shared."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.access import requires
from apps.core import charts, formats
from apps.core.htmx import HttpRequest, page
from apps.core.text import whole_number
from apps.llm import catalogue, estimator, finder, traffic
from apps.llm.catalogue import Entry
from apps.llm.estimator import Estimate
from apps.llm.forms import EstimatorForm, FinderForm
from apps.llm.models import Model
from apps.llm.traffic import RealTraffic
from apps.llm.views.catalogue import SEEN


@require_safe
@requires(*SEEN)
def model_find(request: HttpRequest) -> HttpResponse:
    """Show which models meet what is asked for, and why the others do not."""
    entries = _chatting(request)
    form = FinderForm(
        request.GET,
        regions=_words(catalogue.REGIONS, (entry.model.regions for entry in entries)),
        assurances=_words(catalogue.ASSURANCES, (entry.model.assurances for entry in entries)),
    )
    wanted = form.requirements()
    currency = request.workspace.currency
    found = finder.rank(
        wanted,
        [
            entry.candidate(catalogue.cost_of_thousand(entry, wanted.input_tokens, wanted.output_tokens), currency)
            for entry in entries
        ],
    )
    context = {
        "form": form,
        "asks": wanted != finder.Requirements(),
        "told": finder.in_words(found, asks=wanted != finder.Requirements()),
        "fitting": [one for one in found if one.fits],
        "failing": [one for one in found if not one.fits],
    }
    return page(request, "llm/finder.html", context, fragment="found")


def _chatting(request: HttpRequest) -> list[Entry]:
    entries = catalogue.entries_of(request.workspace, timezone.now())
    return [entry for entry in entries if entry.model.kind == Model.Kind.CHAT]


def _words(usual: Sequence[str], said: Any) -> list[str]:
    """Return the words to choose from: those that models are described by, else the usual ones."""
    used = sorted({word for words in said for word in words or ()})
    return used or list(usual)


@require_safe
@requires(*SEEN)
def model_estimate(request: HttpRequest) -> HttpResponse:
    """Show what traffic would cost in a month on each of the chosen models."""
    now = timezone.now()
    entries = {str(entry.model.pk): entry for entry in _chatting(request)}
    today = now.astimezone(request.workspace.zone).date()
    prompt = whole_number(request.GET.get("prompt", ""))
    real = traffic.of_prompt(request.workspace, prompt, today) if prompt else None
    labels = _labels(entries)
    form = _estimator_form(request, real, entries, labels)
    reckoned = form.traffic()
    chosen = form.cleaned_data.get("model", []) if form.is_bound else []
    priced = [(labels[key], entries[key].rates) for key in chosen]
    found = estimator.of_models(reckoned, priced) if reckoned is not None else []
    context = {
        "form": form,
        "real": real,
        "prompt": prompt,
        "prompts": traffic.prompts_of(request.workspace, today),
        "traffic": reckoned,
        "estimates": found,
        "picture": _picture(found, request.workspace.currency),
        "days": estimator.DAYS,
    }
    return page(request, "llm/estimator.html", context, fragment="estimates")


def _labels(entries: dict[str, Entry]) -> dict[str, str]:
    """Return how each model is called: by its name, and by its connection too where two have the same name."""
    names = Counter(entry.model.name for entry in entries.values())
    return {
        key: entry.model.name if names[entry.model.name] == 1 else f"{entry.model.name} ({entry.model.connection.name})"
        for key, entry in entries.items()
    }


def _estimator_form(
    request: HttpRequest, real: RealTraffic | None, entries: dict[str, Entry], labels: dict[str, str]
) -> EstimatorForm:
    """Return the form as it was sent, else filled with the prompt's real traffic, else empty: nothing is made up."""
    models = list(labels.items())
    if "requests_per_day" in request.GET:
        return EstimatorForm(request.GET, models=models)
    chosen = [key for key, entry in entries.items() if entry.is_priced] or list(entries)
    if real is None:
        return EstimatorForm(None, models=models, initial={"model": chosen})
    filled = {
        "model": chosen,
        "requests_per_day": real.requests_per_day,
        "input_tokens": real.input_tokens,
        "output_tokens": real.output_tokens,
        "cached": round(real.cached_share * 100, 1) or None,
    }
    return EstimatorForm(filled, models=models)


def _picture(found: list[Estimate], currency: str) -> dict[str, Any] | None:
    """Return the chart of the estimates that have a price."""
    priced = [(one.name, one.cost) for one in found if one.cost is not None]
    if len(priced) < 2:
        return None
    symbol = formats.SYMBOLS.get(currency, "")
    suffix = "" if symbol else f" {currency}"
    return charts.ranked_bars(priced, prefix=symbol, suffix=suffix)

"""What must be true of the demo's calls: traces, charts and filters live on them."""

from decimal import Decimal

from django.db.models import F, Q, Sum
from django.utils import timezone

from apps.accounts.models import Workspace
from apps.costs.models import Charge
from apps.experiments.models import Output, Run
from apps.llm.models import CachedAnswer, Call, CallHour


def every_call_of_the_past_has_its_text_its_party_and_its_person(desk: Workspace) -> None:
    calls = Call.objects.filter(workspace=desk)
    assert calls.count() > 3_000
    assert not calls.filter(Q(body=None) | Q(party="") | Q(user_id=None) | Q(asked_tokens=0)).exists()
    assert not calls.filter(state="answered", body__text="").exists()
    assert not calls.filter(Q(ended_at=None) | Q(ended_at__gt=timezone.now())).exists()
    parties = {party.partition(":")[0] for party in calls.values_list("party", flat=True).distinct()}
    assert parties == {"run", "person"}


def a_call_costs_what_its_charge_says(desk: Workspace) -> None:
    costs = dict(Charge.objects.filter(workspace_id=desk.pk).values_list("id", "cost"))
    found = Call.objects.filter(workspace=desk).values_list("charge_id", "cost")
    assert all(costs[charge_id] == cost for charge_id, cost in found)


def some_calls_were_streams_and_told_when_their_first_token_came(desk: Workspace) -> None:
    streams = Call.objects.filter(workspace=desk, operation="stream", state="answered")
    assert streams.count() > 500
    assert not streams.filter(Q(first_token_ms=None) | Q(first_token_ms__gt=F("latency_ms"))).exists()


def some_calls_failed_in_different_ways_and_were_made_again(desk: Workspace) -> None:
    calls = Call.objects.filter(workspace=desk)
    kinds = set(calls.filter(state="failed").values_list("error_kind", flat=True))
    assert kinds >= {"rate_limited", "overloaded", "server_error", "timeout", "bad_request"}
    again = calls.filter(attempt=2, state="answered")
    assert again.count() > 20
    for call in again[:20]:
        first = calls.get(pk=call.first_attempt_id)
        assert (first.attempt, first.state, first.party) == (1, "failed", call.party)
        assert first.ended_at is not None
        assert first.ended_at < call.sent_at


def some_answers_served_again_and_saved_money(desk: Workspace) -> None:
    reused = Call.objects.filter(workspace=desk).reused()
    assert reused.count() >= 60
    assert set(reused.values_list("cost", flat=True)) == {0}
    [run] = Run.objects.filter(pk__in=Output.objects.filter(reused=True).values("run"))
    saved = sum(Decimal(arm["saved"] or 0) for arm in (run.summary or {})["arms"])
    charges = Charge.objects.filter(id__in=reused.values("charge_id"))
    assert saved == charges.aggregate(sum=Sum("saved"))["sum"] > 0


def a_visitor_who_asks_the_same_again_is_given_what_was_kept(desk: Workspace) -> None:
    kept = CachedAnswer.objects.fresh(timezone.now()).filter(workspace=desk)
    assert kept.count() >= 180
    assert set(kept.values_list("model__name", flat=True)) == {"practice-small", "practice-large", "practice-claude"}


def the_hourly_sums_are_those_of_the_calls(desk: Workspace) -> None:
    calls = Call.objects.filter(workspace=desk)
    summed = CallHour.objects.filter(workspace=desk).aggregate(
        calls=Sum("calls"), failed=Sum("failed"), throttled=Sum("throttled"), reused=Sum("reused")
    )
    assert summed == {
        "calls": calls.count(),
        "failed": calls.filter(state="failed").count(),
        "throttled": calls.filter(error_kind__in=["rate_limited", "overloaded"]).count(),
        "reused": calls.reused().count(),
    }


FACTS = (
    every_call_of_the_past_has_its_text_its_party_and_its_person,
    a_call_costs_what_its_charge_says,
    some_calls_were_streams_and_told_when_their_first_token_came,
    some_calls_failed_in_different_ways_and_were_made_again,
    some_answers_served_again_and_saved_money,
    a_visitor_who_asks_the_same_again_is_given_what_was_kept,
    the_hourly_sums_are_those_of_the_calls,
)

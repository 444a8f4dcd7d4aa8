"""What is known of models: entered, looked up in the public list, or unknown; and what holds their calls back."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from plotly.graph_objects import Figure

from apps.accounts.models import AuditEvent, User, Workspace
from apps.core.errors import Conflict, DomainError
from apps.llm import actions, catalogue, histories, hours, known_facts, lanes, observed
from apps.llm.actions import Facts
from apps.llm.models import Call, Connection, Lane, Model
from tests import factories
from tests.llm.calls import made


def test_a_known_model_s_context_is_looked_up_and_nothing_else_is_guessed(workspace: Workspace, olga: User) -> None:
    connection = factories.make_connection(workspace, kind=Connection.Kind.OPENAI, provider="openai")
    known = actions.add_model(connection=connection, name="gpt-4o", acting_user=olga)
    unknown = actions.add_model(connection=connection, name="gpt-4o-of-ours", acting_user=olga)
    assert (known.context_window, unknown.context_window) == (known_facts.context_window("openai", "gpt-4o"), None)
    assert known.context_window
    for fact in ("max_output_tokens", "modalities", "supports_tools", "supports_json", "regions", "assurances"):
        assert getattr(known, fact) is None, fact


def test_what_was_entered_goes_before_the_list(workspace: Workspace, olga: User) -> None:
    connection = factories.make_connection(workspace, kind=Connection.Kind.OPENAI, provider="openai")
    assert (
        actions.add_model(connection=connection, name="gpt-4o", context_window=5, acting_user=olga).context_window == 5
    )


def test_another_provider_s_model_of_that_name_is_not_theirs() -> None:
    assert known_facts.context_window("openai", "gpt-4o")
    assert known_facts.context_window("practice", "gpt-4o") is None


def test_facts_are_tidied_audited_and_taken_back(model: Model, olga: User) -> None:
    facts = Facts(regions=["EU", " eu", "United  Kingdom"], assurances=[], data_note=" see the contract ")
    described = actions.describe_model(model=model, facts=facts, acting_user=olga)
    assert (described.regions, described.assurances) == (["eu", "united-kingdom"], [])
    assert described.data_note == "see the contract"
    event = AuditEvent.objects.get()
    assert (event.verb, event.before["regions"], event.after["regions"]) == (
        "described a model", None, ["eu", "united-kingdom"],
    )  # fmt: skip
    assert actions.describe_model(model=model, facts=Facts(), acting_user=olga).regions is None


@pytest.mark.parametrize(
    "facts",
    [
        Facts(regions=["x" * 41]),
        Facts(assurances=[f"a{n}" for n in range(21)]),
        Facts(data_note="x" * 501),
        Facts(data_note="\x00"),
        Facts(regions=["\ud800"]),
    ],
)
def test_facts_that_do_not_fit_are_refused(facts: Facts, model: Model, olga: User) -> None:
    with pytest.raises(DomainError):
        actions.describe_model(model=model, facts=facts, acting_user=olga)
    assert Model.objects.get().regions is None


def test_an_archived_model_is_not_described(model: Model, olga: User) -> None:
    actions.archive_model(model=model, acting_user=olga)
    with pytest.raises(Conflict):
        actions.describe_model(model=model, facts=Facts(), acting_user=olga)


def test_the_catalogue_holds_what_can_be_called(workspace: Workspace, connection: Connection, stranger: User) -> None:
    factories.make_model(connection, "b")
    factories.make_model(connection, "a")
    factories.make_model(connection, "gone", archived_at=timezone.now())
    factories.make_model(factories.make_connection(workspace, name="Z", archived_at=timezone.now()), "closed")
    found = catalogue.entries_of(workspace, timezone.now())
    assert [entry.model.name for entry in found] == ["a", "b"]
    assert catalogue.entries_of(stranger.memberships.get().workspace, timezone.now()) == []


def test_an_entry_has_the_prices_and_the_last_seven_days(workspace: Workspace, model: Model) -> None:
    now = timezone.now()
    for at in (now, now - timedelta(days=8)):
        made(model, at, ms=1_000)
        hours.rebuild(at, at + timedelta(minutes=1))
    (entry,) = catalogue.entries_of(workspace, now)
    assert (entry.in_price, entry.out_price, entry.is_priced) == (Decimal(1), Decimal(4), True)
    assert entry.seen.calls == 1
    assert catalogue.cost_of_thousand(entry, 1_000, 100) == Decimal("1.4")
    assert catalogue.cost_of_thousand(entry, None, None) is None


def test_a_model_without_a_price_has_none(workspace: Workspace, connection: Connection) -> None:
    model = factories.make_model(connection, "mystery")
    (entry,) = catalogue.entries_of(workspace, timezone.now())
    assert (entry.in_price, entry.out_price, entry.is_priced) == (None, None, False)
    assert catalogue.cost_of_thousand(entry, 10, 10) is None
    assert catalogue.unpriced_of(workspace, [model], timezone.now()) == {model.pk}


def test_a_catalogue_of_many_models_takes_as_many_queries_as_of_one(
    workspace: Workspace, connection: Connection, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(30):
        made(factories.make_model(connection, f"m{number}"))
    hours.refresh(timezone.now())
    with django_assert_num_queries(4):  # type: ignore[operator]
        assert len(catalogue.entries_of(workspace, timezone.now())) == 30


@pytest.mark.parametrize(
    ("fields", "word", "said"),
    [
        ({}, "Idle", "Up to 8 calls may be in flight now; the connection allows 32."),
        ({"in_flight": 2, "width": 40}, "In use", "Up to 32 calls may be in flight"),
        ({"ceiling": 6, "width": 5}, "Idle", "asked us to slow down at 6"),
        ({"throttled_in_a_row": 1}, "Throttled", ""),
        ({"paused_until": timedelta(seconds=30)}, "Pausing", "Nothing is sent for another 30 s"),
        ({"failures": Lane.DOWN_AFTER}, "Down", "The last 5 calls failed."),
    ],
)
def test_a_lane_is_told_in_plain_words(fields: dict[str, object], word: str, said: str, model: Model) -> None:
    now = timezone.now()
    if "paused_until" in fields:
        fields = {"paused_until": now + timedelta(seconds=30)}
    Lane.objects.create(model=model, **fields)
    found = lanes.of_model(model, now)
    assert found.word == word
    assert any(said in sentence for sentence in found.sentences)


def test_a_model_never_called_has_a_lane_as_new(model: Model) -> None:
    found = lanes.of_model(model, timezone.now())
    assert (found.word, found.in_flight, found.may_fly) == ("Idle", 0, Lane.FIRST_WIDTH)
    assert not Lane.objects.exists()


def test_limits_are_the_model_s_own_or_the_connection_s(model: Model) -> None:
    model.connection.requests_per_minute, model.tokens_per_minute = 60, 9_000
    sentences = lanes.of_model(model, timezone.now()).sentences
    assert "At most 60 requests leave in any minute." in sentences
    assert "About 9,000 tokens a minute are drawn." in sentences


def test_a_history_draws_latency_errors_and_throttling(workspace: Workspace, model: Model) -> None:
    now = timezone.now()
    made(model, now, ms=1_000)
    made(model, now, kind="rate_limited")
    made(model, now, kind="never-seen-before")
    made(model, now, ms=0, reused_id=Call.objects.earliest("id").pk)
    hours.refresh(now)
    found = histories.of_models([model.pk], observed.SPANS["24h"], now, workspace.zone)
    assert [picture.id for picture in found.pictures] == ["latency", "troubles", "throttling"]
    latency, troubles, throttling = found.pictures
    assert "Half of the answers came within" in latency.summary
    assert "2 of 3 calls failed" in troubles.summary
    assert {trace["name"] for trace in troubles.figure["data"]} == {"Too many requests", "Never-seen-before"}
    assert "slow down once" in throttling.summary
    assert {trace["name"]: sum(trace["y"]) for trace in throttling.figure["data"]} == {
        "Answered or failed": 2, "Throttled": 1, "Kept answers": 1,
    }  # fmt: skip
    assert all(len(trace["x"]) == 24 for picture in found.pictures for trace in picture.figure["data"])
    assert all(len(Figure(picture.figure).data) == len(picture.figure["data"]) for picture in found.pictures)
    assert all(len(row) == len(picture.columns) for picture in found.pictures for row in picture.rows)


def test_a_model_never_called_has_no_pictures(workspace: Workspace, model: Model) -> None:
    found = histories.of_models([model.pk], observed.DEFAULT_SPAN, timezone.now(), workspace.zone)
    assert (found.pictures, found.total.p50) == ((), None)

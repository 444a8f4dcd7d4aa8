"""The provider accounts of Papermoon, the models behind them, and what those cost."""

from decimal import Decimal

from apps.accounts.models import Workspace
from apps.costs import actions as costs
from apps.costs import seed
from apps.costs.models import Meter
from apps.llm import actions as llm
from apps.llm.models import Connection, Model
from llmops_site.demo.people import Cast

PROVIDER = "practice"
KEY = "sk-practice-demo"
MILLION = Decimal(1_000_000)
OPENAI_SIDE, ANTHROPIC_SIDE = "Practice provider", "Practice provider (Anthropic)"
OFFERED = {OPENAI_SIDE: ("practice-small", "practice-large"), ANTHROPIC_SIDE: ("practice-claude",)}
# What is true of the practice provider: it runs beside the desk, does what its tests show, and sends nothing anywhere.
BESIDE_US = "The practice provider is a program beside this desk: nothing that it is asked leaves the machine."
FACTS = llm.Facts(
    context_window=128_000,
    max_output_tokens=8_192,
    modalities=[Model.Modality.TEXT],
    supports_tools=True,
    supports_json=True,
    regions=["on-premises"],
    assurances=["no-training", "zero-retention"],
    data_note=BESIDE_US,
)
KINDS = {OPENAI_SIDE: Connection.Kind.COMPATIBLE, ANTHROPIC_SIDE: Connection.Kind.ANTHROPIC}


def address_of(name: str, provider_url: str) -> str:
    """Return the base URL of a connection; Anthropic's clients add the version themselves."""
    base = provider_url.rstrip("/")
    return f"{base}/v1" if name == OPENAI_SIDE else base


def connect(cast: Cast, provider_url: str) -> None:
    """Add the connections, their models and the first price list. Raises DomainError for an address not allowed."""
    olga = cast.users["olga"]
    for name, models in OFFERED.items():
        connection = llm.create_connection(
            workspace=cast.workspace,
            name=name,
            kind=KINDS[name],
            base_url=address_of(name, provider_url),
            key=KEY,
            provider=PROVIDER,
            acting_user=olga,
        )
        for name_of_model in models:
            model = llm.add_model(connection=connection, name=name_of_model, acting_user=olga)
            llm.describe_model(model=model, facts=FACTS, acting_user=olga)
    seed.seed_prices(workspace=cast.workspace, acting_user=olga)


def readdress(cast: Cast, provider_url: str) -> bool:
    """Lead the connections to where the practice provider listens now; return whether any moved."""
    moved = False
    for connection in cast.workspace.connections.live().filter(name__in=OFFERED):
        wanted = address_of(connection.name, provider_url)
        if connection.base_url != wanted:
            llm.update_connection(
                connection=connection,
                name=connection.name,
                base_url=wanted,
                provider=connection.provider,
                max_concurrency=connection.max_concurrency,
                requests_per_minute=connection.requests_per_minute,
                tokens_per_minute=connection.tokens_per_minute,
                key=KEY,
                acting_user=cast.users["olga"],
            )
            moved = True
    return moved


def change_price(cast: Cast, model: str, per_million: dict[Meter, str], source: str) -> None:
    """Put new prices in force from the clock's present on."""
    for meter, price in per_million.items():
        costs.add_price(
            workspace=cast.workspace,
            provider=PROVIDER,
            model=model,
            meter=meter,
            unit_price=Decimal(price) / MILLION,
            source=source,
            acting_user=cast.users["fay"],
        )


def models_of(workspace: Workspace) -> dict[str, Model]:
    """Return the workspace's models by name."""
    return {model.name: model for model in Model.objects.filter(workspace=workspace).with_connection()}

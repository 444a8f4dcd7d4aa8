"""Price lists from outside: read strictly, every fault named, nothing executed."""

from decimal import Decimal

import pytest
from django.urls import reverse

from apps.core.errors import DomainError
from apps.costs import actions
from apps.costs.models import PriceProposal


@pytest.fixture
def upload(workspace, fay):
    def of(content):
        return actions.propose_price_list(
            workspace=workspace, name="new.csv", content=content, acting_user=fay, valid_from=None
        )

    return of


HOSTILE = [
    ("", "no price in it|columns"),
    ("provider,model,meter\nopenai,gpt-x,input\n", "price is missing"),
    ("provider,model,meter,price,=cmd()\nopenai,gpt-x,input,1,x\n", "columns are"),
    ("provider,model,meter,price\nopenai,gpt-x,input,=1+1\n", "no price"),
    ("provider,model,meter,price\nopenai,gpt-x,input,1e5\n", "no price"),
    ("provider,model,meter,price\nopenai,gpt-x,input,NaN\n", "no price"),
    ("provider,model,meter,price\nopenai,gpt-x,input,-1\n", "no price"),
    ("provider,model,meter,price\nopenai,gpt-x,input,1.0000001\n", "12 decimals"),
    ("provider,model,meter,price\nopenai,gpt-x,input,9999999999\n", "between 0"),
    ("provider,model,meter,price\nopenai,gpt-x,gold,1\n", "nothing that is counted"),
    ("provider,model,meter,price\nopenai,gpt-x,input\n", "3 cells"),
    ("provider,model,meter,price\nopenai,,input,1\n", "The model needs"),
    ("provider,model,meter,price\nopenai,gpt-x,input,1\nopenai,gpt-x,input,2\n", "line 2 has a price"),
    (f"provider,model,meter,price\nopenai,{'x' * 400},input,1\n", "short text"),
    ('provider,model,meter,price\nopenai,"gpt', "not CSV"),
    (f"provider,model,meter,price\n{'x' * 200_000},a,input,1\n", "not CSV|short text"),
    ("provider,model,meter,price\nopenai,gpt\x00x,input,1\n", "null byte"),
    ("provider,model,meter,price,tier\nopenai,gpt-x,input,1,gold\n", "no tier"),
    ("provider,model,meter,price,connection\nopenai,gpt-x,input,1,x\n", "whole number"),
    ("[" * 100_000, "JSON"),
    ('[{"provider": "openai", "model": "gpt-x", "meter": "input", "price": NaN}]', "no price"),
    ('[{"provider": "openai", "model": "gpt-x", "meter": "input", "price": true}]', "short text"),
    ('[{"provider": "openai", "model": {"a": 1}, "meter": "input", "price": 1}]', "short text"),
    ('{"prices": "all"}', "array of objects"),
    ('[{"prompt": "x"}]', "The names are"),
    ("x" * 1_100_000, "at most"),
    ("provider,model,meter,price\n" + "".join(f"o,m{n},input,1\n" for n in range(2_001)), "at most 2,000"),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_file_that_is_no_price_list_is_refused_in_words(upload, content, words):
    with pytest.raises(DomainError, match=words):
        upload(content)
    assert PriceProposal.objects.count() == 0


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffProvider;Model;Meter;Price\r\nopenai;gpt-x;input tokens;2.5\r\n\r\n",
        '[{"provider": "openai", "model": "gpt-x", "meter": "input", "price": 2.5, "tier": null}]',
        '{"prices": [{"provider": "openai", "model": "gpt-x", "meter": "input", "price": "2.5"}]}',
    ],
)
def test_lists_come_as_sheets_and_programs_write_them(upload, content):
    (line,) = upload(content).lines.all()
    assert line.new_price == Decimal("0.0000025")


def test_names_in_a_list_are_text_and_nothing_else(client_of, fay, upload):
    proposal = upload("provider,model,meter,price\nopenai,<script>alert(1)</script>,input,1\n")
    text = (
        client_of(fay)
        .get(reverse("proposal", kwargs={"workspace": "acme", "proposal_id": proposal.pk}))
        .content.decode()
    )
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text

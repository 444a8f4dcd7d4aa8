"""Charges as a sheet: read, shown, and only then booked."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.models import AuditEvent, User, Workspace
from apps.costs.ingest import csv_file
from apps.costs.ingest.csv_file import SheetRefused
from apps.costs.models import Charge, Quarantined
from tests.conftest import ClientOf
from tests.costs.ingesting import price_of

LISBON = ZoneInfo("Europe/Lisbon")
HEADER = "source_id,at,provider,model,input,output,team\n"
GOOD = HEADER + "a-1,2026-11-15 12:00,openai,gpt-4o,1000,500,Support\n"


@pytest.fixture
def desk(workspace: Workspace, fay: User, client_of: ClientOf) -> Client:
    price_of(workspace)
    return client_of(fay)


def upload(desk: Client, content: str | bytes, source: str = "bank") -> Any:
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile("charges.csv", data, "text/csv")
    return desk.post("/w/acme/spend/ingest/sheet/", {"source": source, "file": file})


def book(desk: Client, shown: Any) -> Any:
    return desk.post("/w/acme/spend/ingest/sheet/book/", {"token": shown.context["token"]}, follow=True)


def faults(text: str) -> list[str]:
    return [line.refused.code for line in csv_file.read(text.encode(), LISBON).lines if line.refused]


def test_a_sheet_is_shown_before_anything_is_booked(desk: Client) -> None:
    shown = upload(desk, GOOD + "a-2,2026-11-15,openai,gpt-99,1,1,\n" + "a-3,soon,openai,gpt-4o,1,1,\n")
    found = shown.context["found"]
    assert (shown.status_code, found.ready, found.unpriced, found.cost) == (200, 2, 1, Decimal("0.0075"))
    assert [(fault.line, fault.reason) for fault in found.faults] == [(4, "time-unreadable")]
    assert Charge.objects.count() == Quarantined.objects.count() == 0


def test_what_was_shown_is_booked_once(desk: Client, workspace: Workspace) -> None:
    shown = upload(desk, GOOD)
    assert "1 charge is in the books" in book(desk, shown).content.decode()
    charge = Charge.objects.get()
    assert (charge.cost, charge.source, charge.team_name) == (Decimal("0.0075"), "bank", "Support")
    assert AuditEvent.objects.filter(workspace=workspace, verb="booked a sheet").count() == 1
    again = upload(desk, GOOD)
    assert (again.context["found"].ready, again.context["found"].duplicate) == (0, 1)


def test_a_sheet_is_booked_by_who_saw_it_and_no_other(desk: Client, olga: User, client_of: ClientOf) -> None:
    shown = upload(desk, GOOD)
    assert (
        client_of(olga).post("/w/acme/spend/ingest/sheet/book/", {"token": shown.context["token"]}).status_code == 422
    )
    assert not Charge.objects.exists()


def test_a_sheet_that_is_no_longer_at_hand_is_asked_for_again(desk: Client) -> None:
    answer = desk.post("/w/acme/spend/ingest/sheet/book/", {"token": "x"}, headers={"HX-Request": "true"})
    assert answer.status_code == 422


def test_the_template_can_be_sent_back_as_it_is(desk: Client) -> None:
    template = b"".join(desk.get("/w/acme/spend/ingest/sheet/template.csv").streaming_content)
    shown = upload(desk, template)
    assert (shown.context["found"].ready, shown.context["sheet"].ignored) == (1, [])


def test_a_time_without_zone_is_the_workspaces(workspace: Workspace) -> None:
    lines = csv_file.read((HEADER + "a,2026-07-15 12:00,,m,1,1,\n").encode(), LISBON).lines
    assert lines[0].item is not None
    assert lines[0].item["at"] == "2026-07-15T12:00:00+01:00"


def test_lines_without_an_id_are_known_by_what_they_say() -> None:
    text = "at,model,input\n2026-11-15,m,1\n2026-11-15,m,1\n2026-11-15,m,2\n"
    ids = [line.item["source_id"] for line in csv_file.read(text.encode(), LISBON).lines if line.item]
    assert len(set(ids)) == 3
    assert ids == [line.item["source_id"] for line in csv_file.read(text.encode(), LISBON).lines if line.item]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,2026-11-15,openai,gpt-4o,1\n", "cut-off"),
        ('a,2026-11-15,openai,gpt-4o,"1,234",1,\n', "number-unclear"),
        ("a,2026-11-15,openai,gpt-4o,1.234,1,\n", "number-unclear"),
        ("a,2026-11-15,openai,gpt-4o,many,1,\n", "not-a-count"),
        ("a,2026-11-15,openai,gpt-4o,-1,1,\n", "not-a-count"),
        ("a,15.11.2026,openai,gpt-4o,1,1,\n", "time-unreadable"),
        ("a,2026-11-15,openai,=cmd|' /C calc'!A0,1,1,\n", "formula"),
        (f"a,2026-11-15,openai,{'m' * 121},1,1,\n", "too-long"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_fault(line: str, reason: str) -> None:
    assert faults(GOOD + line) == [reason]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "columns"),
        (b"\n\n", "columns"),
        (b"PK\x03\x04junk", "Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"at,model\n", "tokens"),
        (b"when,what,input\n", "at and model"),
        (b"at,model,input,Input tokens\n", "twice"),
        (b"at,model,input\n\x00,m,1\n", "null bytes"),
        (GOOD.encode() + b'a,"2026-11-15', "whole"),
        (b"x" * (csv_file.LONGEST + 1), "8 MB"),
        (b"at,model,input\n" + b"2026-11-15,m,1\n" * (csv_file.MOST_ROWS + 1), "20,000"),
        (b"at,model,input\n2026-11-15,m," + b"1" * 200_000 + b"\n", "Line 2"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_that_is_no_sheet_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(SheetRefused, match=words):
        csv_file.read(data, LISBON)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.replace("Support", "Contabilità").encode("cp1252"),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("input,output", "Input tokens,OUTPUT").encode(),
    ],
    ids=["mark", "utf-16", "cp1252", "semicolon", "tab", "crlf", "titles"],
)
def test_sheets_of_all_countries_are_read(data: bytes) -> None:
    (line,) = csv_file.read(data, LISBON).lines
    assert line.item is not None
    assert (line.item["meters"], line.item["model"]) == ({"input": 1000, "output": 500}, "gpt-4o")


def test_an_old_encoding_is_told() -> None:
    assert csv_file.read(GOOD.replace("Support", "Olá").encode("cp1252"), LISBON).notes
    assert not csv_file.read(GOOD.encode(), LISBON).notes


@pytest.mark.parametrize(
    ("mark", "written", "read"),
    [(";", "0,0123", "0.0123"), (",", "0.0123", "0.0123"), (",", '"0,01"', "0.01"), (";", "1,234", "1.234")],
)
def test_a_comma_is_a_point_where_it_can_be_nothing_else(mark: str, written: str, read: str) -> None:
    text = f"at;model;cost;trust_cost\n2026-11-15;m;{written};yes\n".replace(";", mark)
    (line,) = csv_file.read(text.encode(), LISBON).lines
    assert line.item is not None
    assert line.item["cost"] == read


@pytest.mark.parametrize("written", ['"1,234"', '"1.234,5"'])
def test_an_amount_that_could_be_two_is_refused(written: str) -> None:
    assert faults(f"at,model,cost,trust_cost\n2026-11-15,m,{written},yes\n") == ["number-unclear"]


def test_an_amount_alone_counts_where_the_sheet_says_so(desk: Client) -> None:
    text = "source_id,at,provider,model,cost,trust_cost\n1,2026-11-15,midjourney,v7,0.04,yes\n2,2026-11-15,x,v7,0.04,\n"
    shown = upload(desk, text)
    assert [fault.reason for fault in shown.context["found"].faults] == ["no-usage"]
    book(desk, shown)
    assert Charge.objects.get().cost == Decimal("0.04")


def test_what_our_exports_put_before_a_text_is_taken_off(desk: Client) -> None:
    book(desk, upload(desk, HEADER + "a,2026-11-15,openai,gpt-4o,1,1,'=Team\n"))
    assert Charge.objects.get().team_name == "=Team"


def test_only_who_may_approve_prices_books_sheets(
    ana: User, paula: User, client_of: ClientOf, workspace: Workspace
) -> None:
    for person in (ana, paula):
        assert upload(client_of(person), GOOD).status_code == 403
    assert client_of(paula).get("/w/acme/spend/ingest/").status_code == 403

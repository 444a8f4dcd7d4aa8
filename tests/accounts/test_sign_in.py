"""Signing in, being slowed down, and finding back a lost password."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def fresh_cache(db):
    cache.clear()
    yield
    cache.clear()


def try_to_sign_in(email, password, client=None):
    return (client or Client()).post(LOGIN, {"login": email, "password": password})


def test_a_person_signs_in_with_their_address_in_any_case(ana):
    client = Client()
    try_to_sign_in("Ana@Example.com", PASSWORD, client)
    assert client.get(reverse("profile", kwargs={"workspace": "acme"})).status_code == 200


def test_a_wrong_password_is_refused_in_plain_words(ana):
    answer = try_to_sign_in(ana.email, "wrong")
    assert b"do not belong together" in answer.content


def test_an_unknown_address_gets_the_same_words(ana):
    answer = try_to_sign_in("nobody@example.com", "wrong")
    assert b"do not belong together" in answer.content


def test_after_eight_wrong_passwords_even_the_right_one_must_wait(ana):
    for _ in range(8):
        try_to_sign_in(ana.email, "wrong")
    answer = try_to_sign_in(ana.email, PASSWORD)
    assert answer.status_code == 200
    assert b"Too many wrong passwords. Wait five minutes" in answer.content


def test_seven_wrong_passwords_slow_nobody_down(ana):
    for _ in range(7):
        try_to_sign_in(ana.email, "wrong")
    assert try_to_sign_in(ana.email, PASSWORD).status_code == 302


def test_another_account_is_not_slowed_down(ana, amir):
    for _ in range(10):
        try_to_sign_in(ana.email, "wrong")
    assert try_to_sign_in(amir.email, PASSWORD).status_code == 302


def test_the_wait_ends(ana):
    for _ in range(8):
        try_to_sign_in(ana.email, "wrong")
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=301)):
        assert try_to_sign_in(ana.email, PASSWORD).status_code == 302


def test_a_switched_off_account_cannot_sign_in(ana):
    ana.is_active = False
    ana.save()
    client = Client()
    try_to_sign_in(ana.email, PASSWORD, client)
    assert client.get(reverse("profile", kwargs={"workspace": "acme"})).status_code == 302


def test_a_lost_password_is_replaced_by_mail(ana):
    client = Client()
    client.post(reverse("account_reset_password"), {"email": ana.email})
    link = re.search(r"https?://\S+/password/reset/key/\S+", mail.outbox[0].body).group()
    form = client.get(link.replace("http://testserver", ""), follow=True)
    client.post(form.request["PATH_INFO"], {"password1": "another odd sentence", "password2": "another odd sentence"})
    assert try_to_sign_in(ana.email, "another odd sentence").status_code == 302


def test_resetting_an_unknown_address_tells_nothing_and_mails_nobody(ana):
    known = Client().post(reverse("account_reset_password"), {"email": ana.email})
    unknown = Client().post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mail.outbox) == 1

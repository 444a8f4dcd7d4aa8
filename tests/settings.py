"""Galley's settings for tests: the same, over a throwaway PostgreSQL unless DATABASE_URL names one."""

import atexit
import os
import tempfile
from contextlib import ExitStack

from cryptography.fernet import Fernet

from llmops_site import postgres

_open = ExitStack()
atexit.register(_open.close)

os.environ["SECRET_KEY"] = "only-for-tests"
os.environ.setdefault("ENCRYPTION_KEYS", Fernet.generate_key().decode())
if "GALLEY_TESTS" not in os.environ:
    os.environ["GALLEY_TESTS"] = _open.enter_context(tempfile.TemporaryDirectory(prefix="galley-tests-"))
os.environ.setdefault("GALLEY_VAR", os.environ["GALLEY_TESTS"])
# Side by side, pytest's workers inherit both from the process that starts them: they share its server, where each has a
# database of its own, but not its folder, where they would take each other's messages out of the queue.
os.environ["GALLEY_VAR"] = os.path.join(os.environ["GALLEY_VAR"], os.environ.get("PYTEST_XDIST_WORKER", ""))
if "DATABASE_URL" not in os.environ:
    os.environ["DATABASE_URL"] = _open.enter_context(postgres.throwaway()).url

from llmops_site.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# A thread that writes would write into the next test.
FETCHES_WRITTEN_EVERY = 0
# Loopback is where the practice provider stands in tests; what must stay refused is tested with its own setting.
OUTBOUND_ALLOW = ["127.0.0.1:*"]

"""Galley's settings for tests: the same, over a throwaway PostgreSQL unless DATABASE_URL names one."""

import atexit
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from llmops_site.postgres import Cluster

os.environ["SECRET_KEY"] = "only-for-tests"
os.environ.setdefault("ENCRYPTION_KEYS", Fernet.generate_key().decode())
os.environ.setdefault("GALLEY_VAR", tempfile.mkdtemp(prefix="galley-tests-"))

if "DATABASE_URL" not in os.environ:
    _cluster = Cluster(Path(tempfile.mkdtemp(prefix="galley-pg-")), throwaway=True)
    _cluster.start()
    atexit.register(_cluster.stop)
    os.environ["DATABASE_URL"] = _cluster.url

from llmops_site.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Loopback is where the practice provider stands in tests; what must stay refused is tested with its own setting.
OUTBOUND_ALLOW = ["127.0.0.1:*"]

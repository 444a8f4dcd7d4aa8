"""The web process for pages and API."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
django_application = get_wsgi_application()

# Needs Django to be set up.
from apps.prompts.api.front import Front  # noqa: E402

application = Front(django_application)

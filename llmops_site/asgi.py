"""The same code for what streams."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
application = get_asgi_application()

# Views and SDKs take seconds to import, during which no stream would move: better before the first one.
from apps.llm import clients  # noqa: E402, F401
from llmops_site import urls  # noqa: E402, F401

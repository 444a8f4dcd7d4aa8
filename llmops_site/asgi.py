"""The same code for what streams."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
application = get_asgi_application()

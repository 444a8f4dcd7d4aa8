"""What the books ask of whoever stands above them."""

from django.dispatch import Signal

# Sent with `workspace_id` and `wanted`, names and ids of prompts. Who knows them answers {name or id: KnownPrompt}.
prompts_named = Signal()
# Sent with `workspace_id`. Who knows what can be limited answers {"prompt_id" | "version_id": [(id, name)], "environment":
# [name]}: the books themselves know only what has cost something already.
limitable = Signal()

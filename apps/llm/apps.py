from django.apps import AppConfig


class LlmConfig(AppConfig):
    name = "apps.llm"

    def ready(self) -> None:
        from apps.llm import receivers  # noqa: F401

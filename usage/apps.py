from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        from billing import contracts  # noqa: PLC0415  (models are loaded only now)
        from usage import ledger  # noqa: PLC0415

        contracts.objections_to_ending.append(ledger.objection_to_ending)

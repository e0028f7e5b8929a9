from django.apps import AppConfig
from django.core import checks


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        from billing import contracts  # noqa: PLC0415  (models are loaded only now)
        from usage import hosts, ledger  # noqa: PLC0415

        checks.register(hosts.check_dialect_hosts)
        contracts.objections_to_ending.append(ledger.objection_to_ending)

from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        from billing import aggregations, contracts, parties  # noqa: PLC0415  (models are loaded only now)
        from usage import adding, ledger, metering, tasks  # noqa: PLC0415
        from usage.dialects import hosts  # noqa: PLC0415

        aggregations.OF_BRICKS.register(*metering.AGGREGATIONS)
        aggregations.OF_RULES.register(*metering.EVENT_AGGREGATIONS)
        checks.register(hosts.check_dialect_hosts)
        contracts.effects_of_adding.append(adding.in_words)
        contracts.objections_to_ending.append(ledger.objection_to_ending)
        parties.on_new_names.append(tasks.match_waiting)
        connection_created.connect(metering.register_on_sqlite, dispatch_uid="usage.metering")

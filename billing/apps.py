from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import people  # noqa: PLC0415  (models are loaded only now)
        from billing.storage import exact, timeouts  # noqa: PLC0415

        checks.register(timeouts.check_role_default, checks.Tags.database)
        connection_created.connect(exact.register_on_sqlite, dispatch_uid="billing.storage.exact")
        checks.register(people.check_proxies, deploy=True)
        people.keeping.protect()

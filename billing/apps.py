from django.apps import AppConfig
from django.db.backends.signals import connection_created


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import exact  # noqa: PLC0415  (needs no models, but must not run before settings)

        connection_created.connect(exact.register_on_sqlite, dispatch_uid="billing.exact")

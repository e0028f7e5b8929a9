from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import exact  # noqa: PLC0415  (needs no models, but must not run before settings)
        from billing.history import recording  # noqa: PLC0415  (models are loaded only now)
        from billing.people import keeping, login  # noqa: PLC0415

        connection_created.connect(exact.register_on_sqlite, dispatch_uid="billing.exact")
        checks.register(login.check_proxies, deploy=True)
        keeping.protect()
        recording.watch()

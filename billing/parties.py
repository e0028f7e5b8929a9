"""Opening a workspace."""

from django.db import transaction

from billing.models import NumberSeries, Workspace
from billing.models.invoices import Invoice


@transaction.atomic
def create_workspace(
    *,
    code: str,
    name: str,
    time_zone: str,
    currency: str,
    closing: str = Workspace.Closing.MANUAL,
    closing_delay_hours: int = 1,
) -> Workspace:
    """Open a live workspace together with its test-mode twin and their number series; return the live one.

    ``time_zone`` is an IANA name, ``currency`` an ISO 4217 code. Raises ``ValidationError`` on a bad field or a code
    that is taken.
    """
    live = Workspace(
        code=code,
        name=name,
        time_zone=time_zone,
        currency=currency,
        closing=closing,
        closing_delay_hours=closing_delay_hours,
    )
    live.full_clean()
    live.save()
    twin = Workspace(
        code=code,
        mode=Workspace.Mode.TEST,
        live=live,
        name=name,
        time_zone=time_zone,
        currency=currency,
        closing_delay_hours=closing_delay_hours,
    )
    twin.save()
    NumberSeries.objects.bulk_create(
        NumberSeries(workspace=workspace, kind=kind) for workspace in (live, twin) for kind in Invoice.Kind
    )
    return live

"""The tables of billing: parties, catalog, contracts, periods and invoices.

Foreign keys to the workspace have no separate index if another index or constraint of the table begins with it.
"""

from billing.models.catalog import Brick, EventRule, Price, PriceTier
from billing.models.contracts import GREATEST_LINE_NUMBER, Line, Subscription
from billing.models.history import AppendOnly, Change
from billing.models.invoices import Invoice, InvoiceLine, NumberSeries
from billing.models.names import Name
from billing.models.parties import (
    AllowedOrigin,
    ApiKey,
    ApiKeyUse,
    Customer,
    CustomerAlias,
    Workspace,
    validate_currency,
)
from billing.models.people import LoginTally, SentForm, ShownWorkspace
from billing.models.periods import BillingPeriod, CloseItem, CloseRun
from billing.models.tenants import TenantModel
from billing.models.texts import (
    IdentifierField,
    IdentifierFormField,
    objection_to_identifier,
    validate_name,
    visible,
)

__all__ = [
    "GREATEST_LINE_NUMBER",
    "AllowedOrigin",
    "ApiKey",
    "ApiKeyUse",
    "AppendOnly",
    "BillingPeriod",
    "Brick",
    "Change",
    "CloseItem",
    "CloseRun",
    "Customer",
    "CustomerAlias",
    "EventRule",
    "IdentifierField",
    "IdentifierFormField",
    "Invoice",
    "InvoiceLine",
    "Line",
    "LoginTally",
    "Name",
    "NumberSeries",
    "Price",
    "PriceTier",
    "SentForm",
    "ShownWorkspace",
    "Subscription",
    "TenantModel",
    "Workspace",
    "objection_to_identifier",
    "validate_currency",
    "validate_name",
    "visible",
]

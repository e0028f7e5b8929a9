"""Names of customers, lines and bricks. Written by ``billing.names`` only."""

from django.db import models
from django.db.models import Q

from billing.models.parties import Workspace
from billing.models.tenants import TenantModel
from billing.tenancy.keys import WorkspaceKey


class Name(TenantModel):
    """A name of one object of its kind in the workspace: an id, a reference, an alias or a number."""

    class Kind(models.TextChoices):
        CUSTOMER = "customer", "Customer: by its id, its reference or an alias"
        LINE = "line", "Line: by its number or reference, or by the id or reference of its subscription"
        BRICK = "brick", "Brick: by its id or reference"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    text = models.CharField(max_length=255, help_text="Case-sensitive; a UUID is stored in lower case.")
    owner = models.CharField(max_length=36, help_text="The id of a customer, subscription or brick, or the line.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "kind", "text"], name="billing_name_names_one_thing"),
            models.CheckConstraint(condition=~Q(text=""), name="billing_name_is_not_empty"),
        )

    def __str__(self) -> str:
        return self.text

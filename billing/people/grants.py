"""Limit what people may give and whom they may change: nobody gives a permission that they lack.

Whoever sets another person's password or e-mail can act as that person. So a person or group can be changed only by
those who have all of its permissions, and a superuser only by superusers.
"""

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

# The rights of a key in its workspace, as permissions of people.
RIGHTS_OF_A_KEY = (
    *(
        f"billing.{action}_{row}"
        for row in ("customer", "brick", "subscription", "line")
        for action in ("add", "change")
    ),
    "billing.add_price",
    "billing.add_closerun",
    "billing.change_closerun",
    "usage.add_usagerecord",
    "usage.change_usagerecord",
    "billing.view_invoice",
)


def permissions_of(person: User) -> set[int]:
    """Return the ids of a person's permissions, own and through groups, also of an inactive person."""
    held = Permission.objects.filter(Q(user=person) | Q(group__user=person))
    return set(held.values_list("pk", flat=True))


def may_change_person(*, by: User, person: User) -> bool:
    """Tell whether somebody who may change people may change this one."""
    if by.is_superuser:
        return True
    return not person.is_superuser and permissions_of(person) <= permissions_of(by)


def may_change_group(*, by: User, group: Group) -> bool:
    """Tell whether somebody who may change groups may change or delete this one."""
    return by.is_superuser or set(group.permissions.values_list("pk", flat=True)) <= permissions_of(by)


def may_make_keys(*, by: User) -> bool:
    """Tell whether somebody may make API keys: they need all rights that a key has."""
    return by.has_perm("billing.add_apikey") and by.has_perms(RIGHTS_OF_A_KEY)


def permissions_to_give(*, by: User) -> QuerySet[Permission]:
    """Return the permissions that somebody may give: their own."""
    return Permission.objects.all() if by.is_superuser else Permission.objects.filter(pk__in=permissions_of(by))


def groups_to_give(*, by: User) -> QuerySet[Group]:
    """Return the groups into which somebody may put people: those with no permission that they lack."""
    if by.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=permissions_of(by))
    return Group.objects.exclude(permissions__in=beyond)

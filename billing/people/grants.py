"""Limit the permissions that users may grant, and the users and groups that they may change.

Nobody can grant a permission that they lack. Setting another user's password or e-mail means being able to act as that
user, so a user or group can be changed only by users with all of its permissions, and a superuser only by superusers.
"""

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

# The rights of a key in its workspace, as permissions of users.
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
    """Return the ids of a user's permissions, direct and through groups, even if the user is inactive."""
    held = Permission.objects.filter(Q(user=person) | Q(group__user=person))
    return set(held.values_list("pk", flat=True))


def may_change_person(*, by: User, person: User) -> bool:
    """Tell whether a user who may change users may change this one."""
    if by.is_superuser:
        return True
    return not person.is_superuser and permissions_of(person) <= permissions_of(by)


def may_change_group(*, by: User, group: Group) -> bool:
    """Tell whether a user who may change groups may change or delete this one."""
    return by.is_superuser or set(group.permissions.values_list("pk", flat=True)) <= permissions_of(by)


def may_make_keys(*, by: User) -> bool:
    """Tell whether a user may create API keys, which requires all rights of a key."""
    return by.has_perm("billing.add_apikey") and by.has_perms(RIGHTS_OF_A_KEY)


def permissions_to_give(*, by: User) -> QuerySet[Permission]:
    """Return the permissions that a user may grant: the user's own."""
    return Permission.objects.all() if by.is_superuser else Permission.objects.filter(pk__in=permissions_of(by))


def groups_to_give(*, by: User) -> QuerySet[Group]:
    """Return the groups to which a user may add users: those without a permission that the user lacks."""
    if by.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=permissions_of(by))
    return Group.objects.exclude(permissions__in=beyond)

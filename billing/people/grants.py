"""Who may change whom, and give what: nobody gives what they lack, neither to others nor, by others, to themselves.

Whoever sets another's password or e-mail can act as that person. So a person or group can be changed only by those who
may do all that it may, and superusers by superusers alone.
"""

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

CHANGED_BY_KEYS = ("customer", "brick", "subscription", "line", "closerun")
# What a key may do in its workspace, in the words of what people may do.
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
    """Return the ids of what a person may do, of their own and by their groups, also while they are inactive."""
    held = Permission.objects.filter(Q(user=person) | Q(group__user=person))
    return set(held.values_list("pk", flat=True))


def may_change_person(*, by: User, person: User) -> bool:
    """Tell whether somebody who may change people may change this one: its name, password, activity and permissions."""
    if by.is_superuser:
        return True
    return not person.is_superuser and permissions_of(person) <= permissions_of(by)


def may_change_group(*, by: User, group: Group) -> bool:
    """Tell whether somebody who may change groups may change or delete this one."""
    return by.is_superuser or set(group.permissions.values_list("pk", flat=True)) <= permissions_of(by)


def may_make_keys(*, by: User) -> bool:
    """Tell whether somebody may make API keys: whoever has one does by it all that a key may."""
    return by.has_perm("billing.add_apikey") and by.has_perms(RIGHTS_OF_A_KEY)


def permissions_to_give(*, by: User) -> QuerySet[Permission]:
    """Return the permissions that somebody may give."""
    return Permission.objects.all() if by.is_superuser else Permission.objects.filter(pk__in=permissions_of(by))


def groups_to_give(*, by: User) -> QuerySet[Group]:
    """Return the groups into which somebody may put people: those that may do no more than they do."""
    if by.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=permissions_of(by))
    return Group.objects.exclude(permissions__in=beyond)

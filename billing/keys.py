"""Create, find, change and revoke API keys. The text of a key is shown once; the table stores its digest."""

import hashlib
import secrets
from datetime import datetime, timedelta
from types import EllipsisType

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, FilteredRelation, Q, QuerySet

from billing import history
from billing.actors import Actor
from billing.guessing import is_guessable
from billing.models import ApiKey, ApiKeyUse, Workspace, validate_name
from billing.tenancy import Across, across

# Maximum staleness of a key's last use: a statement per request would cost as much as the usage that it reports.
LAST_USE_RESOLUTION = timedelta(minutes=1)
SHORTEST_GIVEN = 16
# How long a process caches a key. A revoked key becomes invalid at once in the process that revokes it, and within this
# time in the others.
TRUSTED_FOR = timedelta(seconds=1)
_trusted: dict[str, tuple[datetime, ApiKey]] = {}
# The last uses known to this process, by key.
_noted: dict[int, datetime] = {}


class UnableToCreateKey(ValidationError):
    """The text or the name is not valid for a key."""


def create_key(*, workspace: Workspace, name: str, text: str | None = None, actor: Actor) -> tuple[ApiKey, str]:
    """Create a key of a workspace; return it with its text, which can't be retrieved again.

    ``text`` adopts a token that clients already send to their vendor. Raises ``UnableToCreateKey`` naming ``text`` if
    it is short, guessable or in use, or naming ``name``.
    """
    try:
        validate_name(name)
    except ValidationError as error:
        raise UnableToCreateKey({"name": error.messages}) from error
    # Show only a few characters of a given token: more would reveal much of a short one.
    shown = 4
    if text is None:
        text, shown = f"ark_{workspace.mode}_{secrets.token_urlsafe(24)}", 13
    elif len(text) < SHORTEST_GIVEN or " " in text or not text.isascii() or not text.isprintable():
        raise UnableToCreateKey({"text": f"A key has at least {SHORTEST_GIVEN} characters and no white space."})
    elif is_guessable(text):
        raise UnableToCreateKey({"text": "This key can be guessed: use a random one, or leave this empty."})
    prefix = text[:shown]
    try:
        with transaction.atomic():
            key = ApiKey(workspace=workspace, name=name, prefix=prefix, digest=digest(text), created_by=actor.label)
            history.insert(key, actor=actor)
    except IntegrityError as error:
        raise UnableToCreateKey({"text": "This key is already in use."}) from error
    return key, text


_KEY = ["id", "workspace_id", "name", "prefix", "requests_per_minute"]
_WORKSPACE = ["id", "code", "mode", "live_id", "name", "time_zone", "currency"]
# Every API request starts with this look-up; building the query each time would cost more than running it.
_FIND = f"""
SELECT {", ".join(f"k.{column}" for column in _KEY)}, {", ".join(f"w.{column}" for column in _WORKSPACE)}
FROM billing_apikey k JOIN billing_workspace w ON w.id = k.workspace_id
WHERE k.digest = %s AND k.revoked_at IS NULL
"""
_NOTE = """
INSERT INTO billing_apikeyuse (workspace_id, api_key_id, last_used_at) VALUES (%s, %s, %s)
ON CONFLICT (workspace_id, api_key_id) DO UPDATE SET last_used_at = excluded.last_used_at
WHERE billing_apikeyuse.last_used_at < %s
RETURNING workspace_id
"""


def find_key(*, text: str, as_of: datetime) -> ApiKey | None:
    """Return the live key with this text, with its workspace, or None; record the use.

    A process makes at most one query per second and key, once a minute a second one to record the use, and a third one
    if another process has recorded a use meanwhile.
    """
    wanted = digest(text)
    since, trusted = _trusted.get(wanted, (None, None))
    if since is not None and timedelta(0) <= as_of - since < TRUSTED_FOR:
        return trusted
    with across(Across.KEY), connection.cursor() as cursor:
        cursor.execute(_FIND, [wanted])
        values = cursor.fetchone()
    if values is None:
        return None
    key = ApiKey.from_db(connection.alias, _KEY, values[: len(_KEY)])
    key.workspace = Workspace.from_db(connection.alias, _WORKSPACE, values[len(_KEY) :])
    if key.pk not in _noted or as_of - _noted[key.pk] > LAST_USE_RESOLUTION:
        _noted[key.pk] = _note_use(key, as_of)
    _trusted[wanted] = (as_of, key)
    return key


def _note_use(key: ApiKey, as_of: datetime) -> datetime:
    """Record a use of a key, unless one within the last minute is recorded; return the recorded moment."""
    moments = map(connection.ops.adapt_datetimefield_value, (as_of, as_of - LAST_USE_RESOLUTION))
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [key.workspace_id, key.pk, *moments])
        if cursor.fetchone():
            return as_of
    uses = ApiKeyUse.objects.filter(workspace_id=key.workspace_id, api_key=key)
    return uses.values_list("last_used_at", flat=True).get()


def with_last_use(found: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """Annotate keys with ``last_used_at``, None for a key that was never used."""
    use = FilteredRelation("uses", condition=Q(uses__workspace_id=F("workspace_id")))
    return found.annotate(use=use, last_used_at=F("use__last_used_at"))


def forget_trusted() -> None:
    """Clear this process's cache of keys: after a change of keys, or in tests, whose rows are rolled back."""
    _trusted.clear()


def forget_noted() -> None:
    """Clear the last uses known to this process: in tests, whose rows are rolled back."""
    _noted.clear()


@transaction.atomic
def update_key(
    *, key: ApiKey, name: str | None = None, requests_per_minute: int | None | EllipsisType = ..., actor: Actor
) -> ApiKey:
    """Change the given values of a key; ``requests_per_minute=None`` removes its limit.

    Another process may apply the former limit for a second. Raises ``ValidationError`` naming the field.
    """
    key = ApiKey.objects.select_for_update(no_key=True).get(workspace_id=key.workspace_id, pk=key.pk)
    changes = {"name": ... if name is None else name, "requests_per_minute": requests_per_minute}
    touched = [field for field, value in changes.items() if value is not ... and value != getattr(key, field)]
    for field in touched:
        setattr(key, field, changes[field])
    key.clean_fields(exclude=[column.name for column in ApiKey._meta.fields if column.name not in touched])
    if key.requests_per_minute == 0:
        raise ValidationError({"requests_per_minute": "Must be above zero, or empty for no limit."})
    if touched:
        history.save(key, fields=touched, actor=actor)
        transaction.on_commit(forget_trusted)
    return key


def revoke_key(*, key: ApiKey, actor: Actor, as_of: datetime) -> None:
    """Revoke a key at once. It stays listed and is never valid again; revoking it again has no effect."""
    with transaction.atomic():
        live = ApiKey.objects.filter(workspace_id=key.workspace_id, pk=key.pk, revoked_at=None)
        if live.update(revoked_at=as_of):
            history.note(key, "revoked", actor=actor)
        # A request that looks the key up before the commit would cache it again.
        transaction.on_commit(forget_trusted)
    forget_trusted()
    key.refresh_from_db(fields=["revoked_at"])


def digest(text: str) -> str:
    """Return the digest of a key's text, by which it is found."""
    # A key is 192 random bits: a slow, salted hash would only slow down each request.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

pytestmark = pytest.mark.django_db


@pytest.fixture
def fiona():
    user = User.objects.create_user("fiona", first_name="Fiona", last_name="Ledger")
    LogEntry.objects.log_actions(user.pk, [user], CHANGE, "Changed.", single_object=True)
    return user


def test_people_and_what_they_did_stay(fiona):
    for rows in (User.objects.all(), LogEntry.objects.all()):
        with pytest.raises(ProtectedError), transaction.atomic():
            rows.delete()
    with pytest.raises(ProtectedError), transaction.atomic():
        fiona.delete()

    assert LogEntry.objects.get().user.get_full_name() == "Fiona Ledger"


def test_the_database_keeps_who_is_named(fiona):
    def delete():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM auth_user")
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        delete()

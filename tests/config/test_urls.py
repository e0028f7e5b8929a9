import pytest


@pytest.mark.django_db
def test_healthz_asks_the_database(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_root_leads_to_the_admin(client):
    assert client.get("/").headers["Location"] == "/admin/"

import pytest


@pytest.mark.django_db
def test_root_leads_to_the_admin(client):
    assert client.get("/").headers["Location"] == "/admin/"

"""The native API throughout: keys, problems, pages, filters, idempotency and rate limits."""

import base64
from urllib.parse import quote

import pytest

from billing.models import ApiKey, Customer
from tests import factories as make
from tests.usage.dialects.native.client import Native, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def api(workspace):
    return Native(workspace)


def names(response):
    return [row["name"] for row in response.json()["results"]]


def follow(api, address):
    assert address.startswith("http://testserver/api/")
    return api.get(address.removeprefix("http://testserver/api/"))


@pytest.fixture
def three(workspace):
    # A day apart: of two rows of one millisecond, which SQLite counts in, either may be the first.
    return [
        Customer.objects.create(workspace=workspace, name=name, created_at=make.moment(f"2026-07-0{day}"))
        for day, name in enumerate(("First", "Second", "Third"), start=1)
    ]


def test_key_tells_the_workspace_and_its_twins_key_the_twin(api, workspace):
    twin = Native(workspace.twin)
    made = twin.post("customers/", name="Globex").json()

    assert Customer.objects.get().workspace == workspace.twin
    assert twin.get(f"customers/{made['id']}/").status_code == 200
    assert api.get(f"customers/{made['id']}/").status_code == 404


@pytest.mark.parametrize("sent", ["", "Token {key}", "Bearer", "Bearer wrong", "Bearer ä"])
def test_no_key_or_a_wrong_one_is_a_problem(workspace, sent):
    api = Native(workspace)
    key = api.headers["authorization"].removeprefix("Bearer ")
    api.headers = {"authorization": sent.format(key=key)}

    response = api.get("customers/")

    assert wrong(response) == (401, {})
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_problem_says_what_rfc_9457_asks_for(api):
    response = api.post("customers/", name="", reference="x" * 101)

    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "The input is invalid.",
        "errors": [
            {"field": "name", "message": "This field may not be blank."},
            {"field": "reference", "message": "Ensure this field has no more than 100 characters."},
        ],
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "title", "detail"),
    [
        ("POST", "customers/", "{", 400, "Bad Request", "JSON parse error - "),
        ("POST", "customers/", '{"name": "\\u0000"}', 400, "Bad Request", "JSON parse error - "),
        ("POST", "customers/", "[]", 422, "Unprocessable Content", "Invalid data. Expected a dictionary"),
        ("GET", "nowhere/", None, 404, "Not Found", "Not found."),
        ("GET", "", None, 404, "Not Found", "Not found."),
        ("PUT", "customers/", "{}", 405, "Method Not Allowed", 'Method "PUT" not allowed.'),
        ("POST", "customers/", '"' + "x" * 2**20 + '"', 413, "Content Too Large", "A request has at most"),
    ],
)
def test_each_problem_has_its_status_and_title(api, method, path, body, status, title, detail):
    response = api(method, path, body)

    assert wrong(response) == (status, {})
    assert response.json()["title"] == title
    assert response.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    "garbage",
    [
        "1",
        "%00",
        "%FF",
        "null",
        "' or 1=1",
        "9" * 400,
        "0b5f2f6e6f0e4c3d9d536a8f6a0f4d11",
        "{0b5f2f6e-6f0e-4c3d-9d53-6a8f6a0f4d11}",
        "0b5f2f6e-6f0e-4c3d-9d53-6a8f6a0f4d11",
        "%F0%9F%92%A9",
    ],
)
def test_path_that_names_nothing_is_not_found(api, workspace, garbage):
    line = make.line(workspace)
    owner, agreed = line.subscription.customer, f"subscriptions/{line.subscription_id}/"
    text = garbage if garbage.startswith("%") else quote(garbage)

    for method, path in [
        ("GET", f"customers/{text}/"),
        ("PATCH", f"customers/{text}/"),
        ("GET", f"customers/{text}/aliases/"),
        ("DELETE", f"customers/{owner.pk}/aliases/{text}/"),
        ("GET", f"bricks/{text}/"),
        ("POST", f"bricks/{text}/archive/"),
        ("GET", f"prices/{text}/" if garbage != "1" else "prices/0/"),
        ("GET", f"subscriptions/{text}/"),
        ("POST", f"subscriptions/{text}/end/"),
        ("POST", f"subscriptions/{text}/lines/"),
        ("GET", f"subscriptions/{text}/lines/{line.number}/"),
        ("GET", f"{agreed}lines/{text}/" if garbage != "1" else f"{agreed}lines/0/"),
        ("POST", f"{agreed}lines/{text}/end/" if garbage != "1" else f"{agreed}lines/0/end/"),
    ]:
        assert wrong(api(method, path, {} if method in ("POST", "PATCH") else None)) == (404, {}), path


def test_pages_lead_from_the_newest_row_to_the_oldest_and_back(api, three):
    first = api.get("customers/?page_size=1")
    second = follow(api, first.json()["next"])
    third = follow(api, second.json()["next"])

    assert [names(page) for page in (first, second, third)] == [["Third"], ["Second"], ["First"]]
    assert (first.json()["previous"], third.json()["next"]) == (None, None)
    back = follow(api, third.json()["previous"])
    assert back.json()["results"] == second.json()["results"]
    again = follow(api, back.json()["previous"])
    assert again.json()["results"] == first.json()["results"]
    assert again.json()["previous"] is None
    assert follow(api, again.json()["next"]).json()["results"] == second.json()["results"]


def test_row_that_is_added_meanwhile_neither_repeats_nor_hides_another(api, workspace, three):
    page = api.get("customers/?page_size=2").json()
    make.customer(workspace, "Fourth")

    assert names(follow(api, page["next"])) == ["First"]


def test_rows_of_one_moment_are_all_shown_once(api, workspace):
    made = [make.customer(workspace, f"Customer {number}") for number in range(7)]
    Customer.objects.update(created_at=make.moment("2026-07-01 12:00"))

    shown, address = [], "http://testserver/api/customers/?page_size=2"
    while address:
        page = follow(api, address).json()
        shown += page["results"]
        address = page["next"]

    assert sorted(row["id"] for row in shown) == sorted(str(row.pk) for row in made)
    assert [row["id"] for row in shown] == sorted((str(row.pk) for row in made), reverse=True)


def test_page_keeps_its_filter(api, workspace):
    for name in ("Globex", "Initech", "Globex", "Globex"):
        make.customer(workspace, name)

    first = api.get("customers/?name=Globex&page_size=2")

    assert names(first) == ["Globex", "Globex"]
    assert names(follow(api, first.json()["next"])) == ["Globex"]


def test_pages_of_numbered_rows_lead_both_ways(api, workspace):
    brick = make.brick(workspace)
    prices = [make.price(brick).pk for _ in range(5)]

    first = api.get("prices/?page_size=2").json()
    second = follow(api, first["next"]).json()
    back = follow(api, second["previous"]).json()

    assert [row["id"] for row in first["results"] + second["results"]] == prices[:0:-1]
    assert back["results"] == first["results"]


def cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("path", "bad"),
    [
        ("customers/", "x"),
        ("customers/", "ä"),
        ("customers/", "%00"),
        ("customers/", cursor("+7")),
        ("customers/", cursor("0b5f2f6e-6f0e-4c3d-9d53-6a8f6a0f4d11")),
        ("customers/", cursor("+0b5f2f6e-6f0e-4c3d-9d53-6a8f6a0f4d11")),
        ("prices/", cursor("+")),
        ("prices/", cursor("+07")),
        ("prices/", cursor("+1_0")),
        ("prices/", cursor("+" + "9" * 5000)),
    ],
)
def test_cursor_that_no_page_gave_is_refused(api, three, path, bad):
    assert wrong(api.get(f"{path}?cursor={bad}")) == (422, {"cursor": "Invalid cursor."})


def test_cursor_beyond_all_numbers_shows_what_lies_below(api, workspace):
    price = make.price(make.brick(workspace))

    shown = [api.get(f"prices/?cursor={cursor(sign + '9' * 30)}").json()["results"] for sign in ("+", "-")]

    assert [[row["id"] for row in rows] for rows in shown] == [[price.pk], []]


def test_cursor_of_another_workspace_is_none_here(api, three):
    theirs = make.customer(make.workspace("other"))

    assert wrong(api.get(f"customers/?cursor={cursor(f'+{theirs.pk}')}"))[0] == 422


@pytest.mark.bound("rows of a page")
@pytest.mark.parametrize("size", ["0", "-1", "201", "ten", "1.0", "9" * 30, "٣", "1%00"])
def test_page_size_is_bounded(api, size):
    assert wrong(api.get(f"customers/?page_size={size}")) == (422, {"page_size": "Must be from 1 to 200."})


@pytest.mark.bound("rows of a page")
def test_page_has_50_rows_unless_another_number_is_asked_for(api, workspace):
    Customer.objects.bulk_create(Customer(workspace=workspace, name="Globex") for _ in range(51))

    assert [len(names(api.get(f"customers/{query}"))) for query in ("", "?page_size=200", "?page_size=1")] == [
        50,
        51,
        1,
    ]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("customers/?nmae=Globex", "nmae", "Unknown parameter."),
        ("customers/?name=", "name", "This parameter may not be empty."),
        ("customers/?name=a%00b", "name", "Null characters are not allowed."),
        ("customers/?created_from=yesterday", "created_from", "Datetime has wrong format."),
        ("customers/?created_before=10000-01-01T00:00:00Z", "created_before", "Datetime has wrong format."),
        ("customers/?created_before=0001-01-01T00:00:00Z", "created_before", "Datetime is out of range."),
        ("bricks/?aggregation=average", "aggregation", "Select a valid choice. average is not one of"),
        ("bricks/?is_archived=maybe", "is_archived", "Select a valid choice. maybe is not one of"),
        ("prices/?brick=%00", "brick", "Null characters are not allowed."),
    ],
)
def test_bad_parameter_is_told_by_its_name(api, query, field, message):
    status, fields = wrong(api.get(query))

    assert (status, list(fields)) == (422, [field])
    assert fields[field].startswith(message)


def test_moment_that_a_reply_tells_divides_the_list_exactly_there(api, workspace):
    Customer.objects.create(workspace=workspace, name="First", created_at=make.moment("2000-01-01"))
    by_the_database = make.customer(workspace, "Second")
    Customer.objects.create(workspace=workspace, name="Third", created_at=make.moment("2999-01-01"))

    since = api.get(f"customers/{by_the_database.pk}/").json()["created_at"]

    assert names(api.get(f"customers/?created_from={since}")) == ["Third", "Second"]
    assert names(api.get(f"customers/?created_before={since}")) == ["First"]
    assert names(api.get("customers/?created_from=2999-01-01T00:00:00Z")) == ["Third"]
    assert names(api.get("customers/?created_before=2999-01-01T00:00:00Z")) == ["Second", "First"]


def test_same_request_with_its_key_again_gets_the_first_reply(api):
    api.headers["idempotency-key"] = "first"

    first, again = (api.post("customers/", name="Globex") for _ in range(2))

    assert (again.status_code, again.headers["Location"], again.json()) == (
        201,
        first.headers["Location"],
        first.json(),
    )
    assert Customer.objects.count() == 1


def test_refusal_is_kept_under_its_key_as_a_problem(api):
    api.headers["idempotency-key"] = "first"

    first, again = (wrong(api.post("customers/", name="")) for _ in range(2))

    assert first == again == (422, {"name": "This field may not be blank."})


def test_key_of_another_request_is_refused(api):
    api.headers["idempotency-key"] = "first"
    api.post("customers/", name="Globex")

    response = api.post("customers/", name="Initech")

    assert wrong(response) == (422, {})
    assert response.json()["detail"] == "This idempotency key was used for another request."
    assert Customer.objects.count() == 1


def test_refused_lines_leave_nothing_behind_under_a_key_either(api, workspace):
    line = make.line(workspace)
    api.headers["idempotency-key"] = "first"

    response = api.post(
        "subscriptions/",
        customer=str(line.subscription.customer_id),
        starts_on="2026-07-01",
        lines=[{"id": line.number, "brick": str(line.brick_id), "price": {"model": "flat", "unit_price": "1"}}],
    )

    assert wrong(response)[0] == 409
    assert len(api.get("subscriptions/").json()["results"]) == 1
    assert len(api.get("prices/").json()["results"]) == 1


def test_key_beyond_its_rate_is_told_when_to_come_again(api):
    ApiKey.objects.update(requests_per_minute=2)

    allowed, last, refused = (api.get("customers/") for _ in range(3))

    assert [response.headers["RateLimit-Remaining"] for response in (allowed, last)] == ["1", "0"]
    assert wrong(refused) == (429, {})
    assert {name: refused.headers[name] for name in ("RateLimit-Limit", "RateLimit-Reset", "Retry-After")} == {
        "RateLimit-Limit": "2",
        "RateLimit-Reset": "60",
        "Retry-After": "60",
    }

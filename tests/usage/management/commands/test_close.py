import io
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing.models import CloseRun, Customer, PriceTier
from tests import factories as make
from tests.scenarios.closing import close, issue, totals
from tests.usage.closing.deaths import killed_at, sweep
from usage import closing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_in_april")]

DONE, NOT_DONE, LEFT_TO_A_PERSON, STILL_AT_WORK = 0, 1, 3, 4


@pytest.fixture
def _in_april():
    with time_machine.travel(make.moment("2026-04-02 08:00"), tick=True):
        yield


def run(*options: str, until: str = "2026-01-31") -> tuple[int, str]:
    """Give the command's exit status and what it said."""
    said = io.StringIO()
    try:
        call_command("close", "--workspace", "acme", "--until", until, *options, stdout=said)
    except CommandError as error:
        return error.returncode, said.getvalue()
    return DONE, said.getvalue()


def line_with_usage(quantity: str = "5", **fields: Any):
    line = make.line(**fields)
    make.use(line, quantity, "2026-01-10")
    return line


def test_drafts_are_told_with_their_amounts():
    line_with_usage()

    status, said = run()

    closed = CloseRun.objects.get()
    draft = closed.invoices.get()
    assert (status, said) == (DONE, f"{closed}: drafts to review.\n  {draft}  Globex  10.00 USD\n")


def test_amounts_have_the_decimals_of_their_currency():
    # 1 at 0.125 dinars of 1,000 fils; half of it is 0.063, rounded half up.
    line = line_with_usage("1", owner=make.workspace(currency="KWD"), unit_price="0.125")
    half = make.line(line.workspace, unit_price="0.125")
    make.use(half, "0.5", "2026-01-10")

    said = run("--issue")[1]

    assert "  Globex  0.125 KWD\n" in said
    assert "  Globex  0.063 KWD\n" in said


def test_amounts_of_a_currency_without_decimals_have_none():
    line_with_usage("5", owner=make.workspace(currency="JPY"))

    assert "  INV-000001  Globex  10 JPY\n" in run("--issue")[1]


def test_nothing_to_close_is_no_failure():
    make.line()

    assert run(until="2025-12-31") == (
        DONE,
        "Nothing to close: no open period has ended by then.\n",
    )
    assert not CloseRun.objects.exists()


def test_what_can_not_be_done_is_told_without_a_traceback():
    with pytest.raises(CommandError, match="There is no workspace 'acme' in live mode"):
        call_command("close", "--workspace", "acme", "--until", "2026-01-31")
    make.workspace()
    assert run(until="9999-12-31")[0] == NOT_DONE


def test_what_is_parked_is_left_to_a_person():
    line = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(up_to=None).delete()

    status, said = run("--issue")

    assert status == LEFT_TO_A_PERSON
    assert f"  parked: subscription {line.subscription_id}: The price “{line.price}” is incomplete: " in said
    PriceTier.objects.create(workspace=line.workspace, price=line.price, up_to=None, unit_price=1)
    assert run("--issue")[0] == DONE
    assert run("--issue")[0] == DONE


def test_drafts_that_wait_for_a_person_are_named_and_never_issued_by_the_command():
    line = line_with_usage()
    waiting = close(line.workspace, "2026-02-01")

    again = run()
    issuing = run("--issue")
    next_month = run("--issue", until="2026-02-28")

    named = f"{waiting}: drafts to review, started by finance; it has to finish first.\n"
    assert again == (
        DONE,
        f"Nothing to close: the periods that have ended by then are in {waiting} (drafts to review).\n",
    )
    assert issuing == next_month == (LEFT_TO_A_PERSON, named)
    assert run("--queue", until="2026-02-28") == (LEFT_TO_A_PERSON, named)
    issue(waiting)
    assert run("--issue", until="2026-02-28")[0] == DONE
    assert totals(line.workspace) == ["10.00", "0.00"]


def test_the_wish_to_issue_is_kept_wherever_the_command_dies():
    survived, statement = False, 0
    while not survived:
        statement += 1
        owner = make.workspace(f"w{statement}")
        make.use(make.line(owner), "5", "2026-01-10")
        command = ("close", "--workspace", owner.code, "--until", "2026-01-31", "--issue")

        with killed_at(statement) as reached:
            call_command(*command, stdout=io.StringIO())
        survived = len(reached) < statement
        by_the_sweep = statement % 2
        if by_the_sweep:
            sweep(make.moment("2026-04-03"))
        call_command(*command, stdout=io.StringIO())

        assert [run.state for run in owner.close_runs.all()] == [CloseRun.State.ISSUED]
        assert totals(owner) == ["10.00"]
        call_command("close", "--workspace", owner.code, "--until", "2026-02-28", "--issue", stdout=io.StringIO())
        assert totals(owner) == ["10.00", "0.00"]
    assert statement > 8


def test_a_run_that_others_left_undone_is_finished_first():
    line = line_with_usage()
    left = closing.start(
        workspace=line.workspace,
        until_at=make.moment("2026-02-01"),
        actor=make.actor("schedule"),
        as_of=make.moment("2026-02-01"),
        issues_itself=True,
    )

    status, said = run("--issue", until="2026-02-28")

    assert status == DONE
    assert said.startswith(f"{left}: issued.\n  INV-000001  Globex  10.00 USD\n")
    assert totals(line.workspace) == ["10.00", "0.00"]


def test_the_queue_is_told_to_issue(eager_tasks, django_capture_on_commit_callbacks):
    line = line_with_usage()

    with django_capture_on_commit_callbacks(execute=True):
        status, said = run("--issue", "--queue")

    assert (status, said) == (DONE, f"{line.workspace.close_runs.get()} is queued for the workers.\n")
    assert line.workspace.close_runs.get().state == CloseRun.State.ISSUED
    assert run("--issue", "--queue")[0] == DONE


def test_the_queue_is_given_what_is_pending_again():
    line = line_with_usage()
    run("--issue", "--queue")
    pending = line.workspace.close_runs.get()

    assert run("--issue", "--queue") == (
        STILL_AT_WORK,
        f"{pending} is queued for the workers.\n"
        f"{pending}: computing drafts, started by command line; it has to finish first.\n",
    )


def test_a_name_forges_no_line_and_moves_no_cursor():
    line = line_with_usage()
    Customer.objects.update(name="Evil\nClose 1: issued.\x1b[2K\u202e\u2028Ltd")

    said = run()[1]

    assert "  Evil\\nClose 1: issued.\\x1b[2K\\u202e\\u2028Ltd  10.00 USD\n" in said
    assert said.count("\n") == 2
    assert line.workspace.close_runs.count() == 1


def test_names_of_all_scripts_are_left_as_they_are():
    line_with_usage()
    name = "Čeština ΟΔΟΣ 東京 می\u200cخواهم 👩\u200d🚀"
    Customer.objects.update(name=name)

    assert f"  {name}  10.00 USD\n" in run()[1]

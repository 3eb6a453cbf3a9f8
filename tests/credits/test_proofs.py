"""The money proofs, small; `make prove` runs them at full size."""

import pytest

from tests.proofs import bank, charges, ledger_machine

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_read_of_the_bank_sees_another_total_while_its_clients_are_killed() -> None:
    result = bank.run(seed=42, full=False)
    assert result.broken == [], result.report()
    assert result.counts["movements"] >= 400
    assert result.counts["full reads"] >= 200
    assert result.counts["processes killed"] >= 2


def test_an_account_that_can_pay_for_half_of_its_charges_pays_for_exactly_half() -> None:
    result = charges.run(seed=42, full=False)
    assert result.broken == [], result.report()
    assert (result.counts["accepted"], result.counts["refused"]) == (200, 200)


def test_the_ledger_does_what_a_plain_model_does_alone_and_with_another_connection() -> None:
    result = ledger_machine.run(seed=42, full=False)
    assert result.broken == [], result.report()
    assert result.counts["movements"] >= 20
    assert result.counts["repeats"] >= 10
    assert result.counts["pairs at once"] >= 20

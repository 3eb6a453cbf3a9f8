"""Who a new identity becomes: somebody new, or somebody known."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.identities import digest
from accounts.models import Identity, User
from accounts.signals import user_joined
from tests.accounts.project import Project, me
from tests.accounts.races import at_once
from tests.factories import UserFactory


@pytest.fixture
def arrivals() -> Iterator[list[tuple[User, str]]]:
    seen: list[tuple[User, str]] = []

    def note(sender: object, *, user: User, identity_key: str, **_: object) -> None:
        seen.append((user, identity_key))

    user_joined.connect(note)
    yield seen
    user_joined.disconnect(note)


@pytest.mark.django_db
class TestFirstSight:
    """Who a new identity becomes."""

    @pytest.fixture(autouse=True)
    def can_ask(self, settings: Settings) -> None:
        settings.SUPABASE_API_KEY = "publishable"

    def known_to(self, project: Project, *, email: str, confirmed: bool) -> str:
        subject = str(uuid4())
        token = project.token(sub=subject, email=email)
        at = "2026-01-01T00:00:00Z" if confirmed else None
        project.users[token] = {"id": subject, "email": email, "email_confirmed_at": at}
        return token

    def test_a_confirmed_address_becomes_the_users_own(
        self, client: APIClient, project: Project, arrivals: list[tuple[User, str]]
    ) -> None:
        answer = me(client, self.known_to(project, email="Ana@Example.com", confirmed=True))

        user = User.objects.get()
        assert (answer.json()["id"], user.email) == (str(user.pk), "ana@example.com")
        assert EmailAddress.objects.get(user=user).verified
        assert [who for who, _ in arrivals] == [user]

    def test_an_unconfirmed_address_is_never_taken(self, client: APIClient, project: Project) -> None:
        assert me(client, self.known_to(project, email="ana@example.com", confirmed=False)).status_code == 200

        assert User.objects.get().email is None
        assert Identity.objects.get().email == "ana@example.com"

    def test_both_addresses_confirmed_join_one_account(
        self, client: APIClient, project: Project, arrivals: list[tuple[User, str]]
    ) -> None:
        owner = UserFactory.create(email="ana@example.com")

        answer = me(client, self.known_to(project, email="ana@example.com", confirmed=True))

        assert answer.json()["id"] == str(owner.pk)
        assert arrivals == []

    @pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (False, False)])
    def test_one_address_unconfirmed_joins_nothing(
        self, client: APIClient, project: Project, ours: bool, theirs: bool
    ) -> None:
        owner = UserFactory.create(email="ana@example.com")
        EmailAddress.objects.filter(user=owner).update(verified=ours)

        answer = me(client, self.known_to(project, email="ana@example.com", confirmed=theirs))

        assert answer.status_code == 200
        assert answer.json()["id"] != str(owner.pk)
        assert answer.json()["email"] is None

    def test_without_the_key_to_ask_nothing_counts_as_confirmed(
        self, client: APIClient, project: Project, settings: Settings
    ) -> None:
        settings.SUPABASE_API_KEY = ""
        owner = UserFactory.create(email="ana@example.com")

        answer = me(client, self.known_to(project, email="ana@example.com", confirmed=True))

        assert answer.json()["id"] != str(owner.pk)

    def test_an_answer_about_somebody_else_confirms_nothing(
        self, client: APIClient, project: Project
    ) -> None:
        token = self.known_to(project, email="ana@example.com", confirmed=True)
        project.users[token]["id"] = str(uuid4())

        assert me(client, token).json()["email"] is None

    def test_a_session_that_the_project_ended_is_refused(self, client: APIClient, project: Project) -> None:
        assert me(client, project.token()).status_code == 401
        assert User.objects.count() == 0

    def test_an_erased_identity_does_not_bring_the_account_back(
        self, client: APIClient, project: Project
    ) -> None:
        subject = str(uuid4())
        Identity.objects.create(issuer=project.issuer, subject=digest(project.issuer, subject), user=None)

        answer = me(client, project.token(sub=subject))

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "account_erased")
        assert User.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("confirmed", [True, False])
def test_sixteen_first_requests_at_once_make_one_user(
    project: Project, settings: Settings, arrivals: list[tuple[User, str]], confirmed: bool
) -> None:
    settings.SUPABASE_API_KEY = "publishable"
    subject = str(uuid4())
    token = project.token(sub=subject)
    at = "2026-01-01T00:00:00Z" if confirmed else None
    project.users[token] = {"id": subject, "email": "ana@example.com", "email_confirmed_at": at}
    answers: list[int] = []

    def request() -> None:
        answers.append(me(APIClient(), token).status_code)

    assert at_once(*[request] * 16) == []
    assert answers == [200] * 16
    assert (User.objects.count(), Identity.objects.count(), len(arrivals)) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_an_arrival_whose_receiver_fails_is_no_arrival(project: Project) -> None:
    def fail(sender: object, **_: object) -> None:
        raise LookupError

    user_joined.connect(fail)
    try:
        with pytest.raises(LookupError):
            me(APIClient(), project.token())
    finally:
        user_joined.disconnect(fail)

    assert (User.objects.count(), Identity.objects.count()) == (0, 0)

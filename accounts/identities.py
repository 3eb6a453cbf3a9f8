"""From who somebody is to an issuer to the user they are here: found, made on first sight, or joined.

An identity is (issuer, subject). A person who comes by another way joins an existing account only if both
e-mails are known to be confirmed. An address that isn't is never written to the user, so that nobody can wait
with it for its true owner.
"""

import hashlib

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from accounts import supabase
from accounts.errors import AccountErased
from accounts.models import Identity, User
from accounts.signals import user_joined

# The issuer of those who prove an e-mail address to us.
EMAIL = "email"


def digest(issuer: str, subject: str) -> str:
    """A name of the identity that says nothing about the person."""
    return hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()


def user_of_identity(person: supabase.Person) -> User:
    """The person's user; made, or joined, on first sight. One statement for those known.

    Raises AccountErased, IdentityProviderAway, jwt.InvalidTokenError.
    """
    found = _find(person)
    if found is not None:
        return found
    # A network call, so before the transaction.
    email = supabase.confirmed_email(person)
    while True:
        try:
            return _first_sight(person, email)
        except IntegrityError:
            # Somebody else took the identity or the e-mail first.
            found = _find(person)
            if found is not None:
                return found
            if email is None:
                raise


def _find(person: supabase.Person) -> User | None:
    # An erased identity is kept by its digest.
    names = [person.subject, digest(person.issuer, person.subject)]
    identity = (
        Identity.objects.select_related("user")
        .filter(issuer=person.issuer, subject__in=names)
        .order_by()
        .first()
    )
    if identity is None:
        return None
    if identity.user is None:
        raise AccountErased()
    return identity.user


def _first_sight(person: supabase.Person, email: str | None) -> User:
    with transaction.atomic():
        user = None
        if email is not None:
            address = EmailAddress.objects.select_related("user").filter(email=email, verified=True).first()
            user = address.user if address else None
        is_new = user is None
        if user is None:
            user = _new_user(email)
        Identity.objects.create(issuer=person.issuer, subject=person.subject, email=person.email, user=user)
        if is_new:
            user_joined.send(Identity, user=user, identity_key=digest(person.issuer, person.subject))
        return user


def _new_user(email: str | None) -> User:
    # Taken, though not confirmed: it stays with whoever may yet confirm it.
    if email is not None and User.objects.filter(email=email).exists():
        email = None
    user = User.objects.create_user(email)
    if email is not None:
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def join_by_email(user: User, email: str) -> None:
    """Record that `user` came by this address. `user_joined` is sent if it is what first brought them here.

    Safe to repeat. An address whose account was erased may come back, but has joined before.
    """
    subject = digest(EMAIL, email.lower())
    with transaction.atomic():
        # Two addresses confirmed at once are still one arrival.
        User.objects.select_for_update(no_key=True).only("id").get(pk=user.pk)
        arrived_before = Identity.objects.filter(user=user).exists()
        identity, is_new = Identity.objects.get_or_create(
            issuer=EMAIL, subject=subject, defaults={"user": user}
        )
        if is_new and not arrived_before:
            user_joined.send(Identity, user=user, identity_key=subject)
        elif identity.user_id is None:
            Identity.objects.filter(pk=identity.pk).update(user=user)

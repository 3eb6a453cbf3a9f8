"""Who: users, the identities they come by, their keys and preferences, and the counter of their events."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from workers.clock import AppNow


class UserManager(BaseUserManager["User"]):
    """Makes users; the e-mail is the name they sign in with."""

    def create_user(self, email: str | None, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower() if email else None, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an account: the owner of every other row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Kept in lower case, so that unique means unique to a person. None: came by an identity whose e-mail is
    # not confirmed, or belongs to another account.
    email = models.EmailField(max_length=254, unique=True, null=True, blank=True)
    name = models.CharField(max_length=200, blank=True)
    # A name in settings.TIERS; operators set it.
    tier = models.CharField(max_length=32, default="free")
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspension_reason = models.CharField(max_length=500, blank=True)
    suspended_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=AppNow(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="accounts_user_email_lower"
            ),
            models.CheckConstraint(condition=~models.Q(email=""), name="accounts_user_email_not_empty"),
        ]

    def __str__(self) -> str:
        return self.email or str(self.id)

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name


class Identity(models.Model):
    """Who somebody is to an issuer: the one thing that brings the same person back to the same user."""

    # The `iss` of a token; "email" where we check the address ourselves.
    issuer = models.CharField(max_length=300)
    # The issuer's own stable name for the person; for "email", the digest of the address.
    subject = models.CharField(max_length=200)
    # None: the account was erased. The row stays, so that an old token can't bring it back.
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="identities")
    # What the issuer says the e-mail is: shown, never trusted.
    email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(db_default=AppNow(), editable=False)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="accounts_identity_once"),
            models.CheckConstraint(
                condition=~models.Q(subject=""), name="accounts_identity_subject_not_empty"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class Scope(models.TextChoices):
    """What a credential may do."""

    READ = "read"
    WRITE = "write"


class ApiKey(models.Model):
    """A secret that a program signs in with. Only its digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    # The first characters of the key, so that its owner can tell which is which.
    prefix = models.CharField(max_length=16, editable=False)
    # SHA-256: enough for 256 random bits, and cheap enough for every request.
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    created_at = models.DateTimeField(db_default=AppNow(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # To the minute.
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="accounts_apikey_owner")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=["read", "write"]) & ~models.Q(scopes=[]),
                name="accounts_apikey_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"


class Preferences(models.Model):
    """What an account asks for when a request doesn't say. None: the system's own default."""

    owner = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="preferences")
    resolution = models.CharField(max_length=16, null=True, blank=True)
    ratio = models.CharField(max_length=16, null=True, blank=True)
    model = models.CharField(max_length=100, null=True, blank=True)
    allow_fallback = models.BooleanField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=AppNow(), editable=False)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.owner_id}"


class EventCounter(models.Model):
    """The number of an account's last event. Its row lock is what makes the numbers free of gaps."""

    owner = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="+")
    last = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(last__gt=0), name="accounts_eventcounter_positive")
        ]

    def __str__(self) -> str:
        return f"{self.last} events of {self.owner_id}"


class Event(models.Model):
    """One change of state, numbered per account: 1, 2, 3 … Never changed."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.BigIntegerField()
    kind = models.CharField(max_length=64)
    # The row that changed: a generation, a project …
    subject_id = models.UUIDField()
    data = models.JSONField()
    created_at = models.DateTimeField(db_default=AppNow(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["subject_id", "number"], name="accounts_event_subject"),
            # Retention deletes by age.
            models.Index(fields=["created_at"], name="accounts_event_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "number"], name="accounts_event_numbered"),
            models.CheckConstraint(condition=models.Q(number__gt=0), name="accounts_event_number_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"


class RequestCount(models.Model):
    """The requests of late under one limit, counted here while Redis is away (`accounts.rates`)."""

    key = models.CharField(max_length=200, primary_key=True)
    # The mark of each request and when it was, in seconds since 1970.
    log = models.JSONField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class IdempotencyRecord(models.Model):
    """The answer to a POST under an Idempotency-Key: the same request twice happens once. Kept for days."""

    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    # SHA-256 of method, path and body: another request under the same key is refused.
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    # JSON as it was sent: jsonb would order its keys anew.
    body = models.TextField(default="")
    created_at = models.DateTimeField(db_default=AppNow())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="accounts_idempotencyrecord_key_once"),
        ]
        indexes = [models.Index(fields=["created_at"], name="accounts_idempotency_age")]

    def __str__(self) -> str:
        return self.key

"""Who signs the content credentials: the operator's certificate, or one that this installation makes for itself.

The C2PA specification 2.2, section 14.5, says what a signing certificate looks like: no CA, key usage
digitalSignature, an extended key usage for documents or mail, its issuer's key identifier.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

# What each algorithm of the specification signs with: the curve, or the kind of key.
_KEYS: dict[str, type[object]] = {
    "es256": ec.SECP256R1,
    "es384": ec.SECP384R1,
    "es512": ec.SECP521R1,
    "ps256": rsa.RSAPrivateKey,
    "ps384": rsa.RSAPrivateKey,
    "ps512": rsa.RSAPrivateKey,
    "ed25519": ed25519.Ed25519PrivateKey,
}

# Fixed, so that every process makes the same certificate.
_FROM, _UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)
_ORGANISATION = "Test certificate of this installation"


class BadCertificate(Exception):
    """The operator's certificate or key can't sign; the text says why, and nothing of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """A certificate with its issuers, the leaf first, and the leaf's key, as PEM."""

    chain: str
    key: str = field(repr=False)
    algorithm: str
    timestamp_url: str | None = None


def is_ours() -> bool:
    """Whether no certificate was given, so that nobody outside has a reason to trust what is signed."""
    return not settings.C2PA_CERTIFICATE_CHAIN and not settings.C2PA_PRIVATE_KEY


def signatory() -> Signatory:
    """Who signs here. Raises BadCertificate where the operator's files can't be used."""
    if is_ours():
        return _made(settings.SECRET_KEY)
    return _read(
        settings.C2PA_CERTIFICATE_CHAIN,
        settings.C2PA_PRIVATE_KEY,
        settings.C2PA_ALGORITHM,
        settings.C2PA_TIMESTAMP_URL,
    )


# Read each time: a pair that is replaced signs from then on.
def _read(chain_path: str, key_path: str, algorithm: str, timestamp_url: str) -> Signatory:
    if not chain_path or not key_path:
        raise BadCertificate("C2PA_CERTIFICATE_CHAIN and C2PA_PRIVATE_KEY belong together: one is empty.")
    chain, key = _text("C2PA_CERTIFICATE_CHAIN", chain_path), _text("C2PA_PRIVATE_KEY", key_path)
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        raise BadCertificate("C2PA_CERTIFICATE_CHAIN holds no certificates in PEM.") from None
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise BadCertificate("C2PA_PRIVATE_KEY holds no key in PEM, or an encrypted one.") from None
    kind = private.curve if isinstance(private, ec.EllipticCurvePrivateKey) else private
    if not isinstance(kind, _KEYS[algorithm]):
        raise BadCertificate(f"C2PA_PRIVATE_KEY is no key for C2PA_ALGORITHM {algorithm}.")
    if _public(private.public_key()) != _public(certificates[0].public_key()):
        raise BadCertificate("C2PA_PRIVATE_KEY is not the key of the first certificate of the chain.")
    if not certificates[0].not_valid_before_utc <= datetime.now(UTC) < certificates[0].not_valid_after_utc:
        raise BadCertificate("The first certificate of C2PA_CERTIFICATE_CHAIN is not valid at this time.")
    pkcs8 = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Signatory(
        chain=chain,
        key=pkcs8.decode(),
        algorithm=algorithm,
        timestamp_url=timestamp_url or None,
    )


def _text(setting: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError):
        raise BadCertificate(f"{setting} names {path!r}, which can't be read.") from None


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@cache
def _made(secret: str) -> Signatory:
    """A root and a leaf of our own: the same in every process with this secret."""
    root_key, leaf_key = _key(secret, "root"), _key(secret, "leaf")
    root_name, leaf_name = _name("root"), _name("signer")
    root = (
        _certificate(root_name, root_key, root_name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(root_key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    leaf = (
        _certificate(leaf_name, leaf_key, root_name, root_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(root_key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    pkcs8 = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Signatory(
        chain=(leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)).decode(),
        key=pkcs8.decode(),
        algorithm="es256",
    )


def _key(secret: str, use: str) -> ec.EllipticCurvePrivateKey:
    # 64 bytes over an order of 32: no value is likelier than another.
    digest = hmac.digest(secret.encode(), f"content credentials, {use}".encode(), "sha512")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return ec.derive_private_key(int.from_bytes(digest) % (order - 1) + 1, ec.SECP256R1())


def _name(role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{_ORGANISATION}: {role}"),
        ]
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(_public(key.public_key())).digest()[:16]))
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )

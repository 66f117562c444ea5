"""Signed statements: in-toto Statement v1 in a DSSE envelope, Ed25519. Who signs is who acts: bot, agent, mainframe.

securesystemslib is imported where it is used: it takes a tenth of a second, in which an agent is up already.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, Key, Signature

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATES = "https://ashat.dev/attestation"
"""The namespace of our predicate types; the last part of each is `<name>/v1`."""

Predicate = TypeVar("Predicate", bound=BaseModel)


class Signs(Protocol):
    """Whoever holds a private key: one key, or the newest of several."""

    @property
    def public_key(self) -> Key: ...

    def sign(self, payload: bytes) -> Signature: ...


class SignatureRefused(Exception):
    """The envelope is not what it says, or not from whom it must be. `str(error)` is one sentence."""


def new_key() -> bytes:
    """A new Ed25519 private key, PKCS#8 PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signer_from_pem(pem: bytes) -> CryptoSigner:
    """Raises ValueError where `pem` is no Ed25519 private key."""
    from securesystemslib.signer import CryptoSigner

    return CryptoSigner(private_key(pem))


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """Raises ValueError where `pem` is no Ed25519 private key."""
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 private key")  # noqa: TRY004 - a wrong file is a wrong value
    return key


def public_text(signer: Signs) -> str:
    """The public half as settings and wire carry it: 64 hexadecimal digits."""
    return str(signer.public_key.keyval["public"])


def key_id(public: str) -> str:
    """The name of a key in envelopes, DSSE's `keyid`: a SHA-256 over its public half and its type."""
    return str(public_key(public).keyid)


def public_key(text: str) -> Key:
    """A verifier's key from its 64 hexadecimal digits. Raises ValueError."""
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(text)))


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(data: Any) -> bytes:
    """The one JSON text of `data`: sorted keys, no spaces, UTF-8. Hashes and signatures are over it."""
    return _canonical(data).encode()


def digest_of(envelope: Mapping[str, Any]) -> str:
    """The SHA-256 by which an envelope is known."""
    return hashlib.sha256(canonical(envelope)).hexdigest()


def sign(
    signer: Signs, name: str, subjects: dict[str, str], predicate: BaseModel, also: Sequence[Signs] = ()
) -> dict[str, Any]:
    """A DSSE envelope as a JSON object: `predicate` of type `name` about `subjects` (name to SHA-256 digest, hex).

    `also` sign it too: whoever trusts any of the keys accepts it.
    """
    from securesystemslib.dsse import Envelope

    statement = {
        "_type": STATEMENT_TYPE,
        "predicateType": f"{PREDICATES}/{name}",
        "subject": [{"name": subject, "digest": {"sha256": digest}} for subject, digest in sorted(subjects.items())],
        "predicate": predicate.model_dump(mode="json"),
    }
    envelope = Envelope(canonical(statement), PAYLOAD_TYPE, {})
    for one in (signer, *also):
        signature = one.sign(envelope.pae())
        envelope.signatures[signature.keyid] = signature
    return dict(envelope.to_dict())


def opened(envelope: dict[str, Any], keys: Sequence[Key], name: str, model: type[Predicate]) -> Predicate:
    """Verify first, parse after. Raises SignatureRefused: malformed, not by one of `keys`, or of another type."""
    return verified(envelope, keys, name, model)[0]


def verified(
    envelope: dict[str, Any], keys: Sequence[Key], name: str, model: type[Predicate]
) -> tuple[Predicate, frozenset[str]]:
    """As `opened`, with the ids of the `keys` whose signature was found and is right; there is at least one."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        sealed = Envelope.from_dict(deepcopy(envelope))  # it takes the signatures out of what it is given
        if sealed.payload_type != PAYLOAD_TYPE:
            raise SignatureRefused(f"the payload is {sealed.payload_type}, expected {PAYLOAD_TYPE}")
        by = _signed_by(sealed, keys)
        statement = json.loads(sealed.payload)
        if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != f"{PREDICATES}/{name}":
            raise SignatureRefused(f"the statement is {statement['predicateType']}, expected {PREDICATES}/{name}")
        return model.model_validate(statement["predicate"]), by
    except (AttributeError, KeyError, TypeError, ValueError, VerificationError, ValidationError) as error:
        raise SignatureRefused("the signature is missing, wrong, or by a key that is not trusted here") from error


def _signed_by(sealed: Envelope, keys: Sequence[Key]) -> frozenset[str]:
    """Raises VerificationError where it is none of them."""
    from securesystemslib.exceptions import VerificationError

    by = frozenset(key.keyid for key in keys if key.keyid in sealed.signatures and _is_by(sealed, key))
    if not by:
        raise VerificationError("by none of the keys")
    return by


def _is_by(sealed: Envelope, key: Key) -> bool:
    from securesystemslib.exceptions import VerificationError

    try:
        sealed.verify([key], 1)
    except VerificationError:
        return False
    return True


def subjects_of(envelope: Mapping[str, Any]) -> dict[str, str]:
    """Name to SHA-256 digest of what a verified envelope is about."""
    statement = json.loads(b64decode(envelope["payload"]))
    return {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}

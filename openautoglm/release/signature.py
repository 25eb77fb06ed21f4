"""Who published this: Ed25519 signatures of manifests, and the keys that a node trusts.

    autoglm keygen team.key                         # team.key stays with the publisher, team.key.pub goes to nodes
    AUTOGLM_SIGNING_KEY=team.key autoglm run
    autoglm pull --to /srv/model --trust team.key.pub

A signature lies beside its manifest (``manifests/v000007.sig``) and covers every byte of it, hence every byte of the
release: the manifest names all blobs by their sha256. It does not cover a channel's pointer: whoever may write to the
store can still point a channel back at an older release that was signed.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.errors import Corrupt, ReleaseError, Untrusted
from openautoglm.files import fsync_dir, write_atomic
from openautoglm.release.release import seal, unseal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = 1
KEY_ENV = "AUTOGLM_SIGNING_KEY"  # path of the publisher's private key
_CONTEXT = b"autoglm manifest 1\n"  # a signature of something else must never pass as one of a manifest


@dataclass(frozen=True)
class Signer:
    """The publisher's private key. Not shown by ``repr``."""

    key: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path) -> Signer:
        """Raises ReleaseError: no such file, or not an Ed25519 private key without a passphrase."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = _load(path, lambda data: load_pem_private_key(data, None))
        if not isinstance(key, Ed25519PrivateKey):
            raise ReleaseError(f"{path}: not an Ed25519 private key; make one with autoglm keygen FILE")
        return cls(key)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Signer | None:
        path = environment.get(KEY_ENV)
        return cls.load(Path(path)) if path else None

    def sign(self, manifest: bytes) -> bytes:
        """The signature file of a manifest."""
        signature = base64.b64encode(self.key.sign(_CONTEXT + manifest)).decode()
        public = self.key.public_key().public_bytes_raw().hex()
        return seal({"format": FORMAT, "key": public, "signature": signature})

    def __repr__(self) -> str:
        return f"Signer({self.key.public_key().public_bytes_raw().hex()[:12]})"


@dataclass(frozen=True)
class Trust:
    """The public keys, in hex, of which one must have signed a manifest."""

    keys: frozenset[str]

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Trust | None:
        """From the ``.pub`` files of ``autoglm keygen``; None where there are none: then everything is trusted.

        Raises:
            ReleaseError: no such file, or not an Ed25519 public key.
        """
        keys = frozenset(_public(path) for path in paths)
        return cls(keys) if keys else None

    def check(self, manifest: bytes, signature: bytes | None, where: str) -> None:
        """Raises Untrusted: unsigned, or signed by another key. Corrupt: the manifest or its signature was altered."""
        if signature is None:
            raise Untrusted(
                f"{where}: is not signed, and this node asks for it (--trust); sign and publish again"
            )
        key = signed_by(manifest, signature, where)
        if key not in self.keys:
            raise Untrusted(
                f"{where}: signed by {key[:12]}, trusted are {', '.join(sorted(k[:12] for k in self.keys))}"
            )

    def __repr__(self) -> str:
        return f"Trust({', '.join(sorted(key[:12] for key in self.keys))})"


def signed_by(manifest: bytes, signature: bytes, where: str) -> str:
    """The public key, in hex, that signed these very bytes.

    Raises:
        Corrupt: the signature file is damaged, or of another manifest.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    value = unseal(signature, f"the signature of {where}")
    if value.get("format") != FORMAT:
        raise Corrupt(
            f"the signature of {where}: format {str(value.get('format'))[:20]}, this version reads {FORMAT}"
        )
    try:
        key = str(value["key"])
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(base64.b64decode(value["signature"], validate=True), _CONTEXT + manifest)
    except (KeyError, TypeError, ValueError, binascii.Error, InvalidSignature):
        raise Corrupt(f"{where}: its signature does not hold: it is not what was signed") from None
    return key


def write_keys(path: Path) -> Path:
    """A new private key at ``path`` (mode 0600), its public key at ``path.pub``; give the latter.

    Raises:
        ReleaseError: one of them is there already; a key is never written over.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(f"{path.name}.pub")
    key = Ed25519PrivateKey.generate()
    try:
        if public.exists():
            raise FileExistsError
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ReleaseError(f"{path}: there is a key already; choose another name") from None
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be written: {error.strerror}") from None
    plain = serialization.NoEncryption()
    encoding = serialization.Encoding.PEM
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
        file.flush()
        os.fsync(file.fileno())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    write_atomic(public, key.public_key().public_bytes(encoding, form))
    fsync_dir(path.parent)
    return public


def _public(path: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _load(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise ReleaseError(f"{path}: not an Ed25519 public key; give the .pub file of autoglm keygen")
    return key.public_bytes_raw().hex()


def _load(path: Path, read: Any) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return read(path.read_bytes())
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ReleaseError(
            f"{path}: no key of the expected kind in it; make a pair with autoglm keygen FILE"
        ) from None

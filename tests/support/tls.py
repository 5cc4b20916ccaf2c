"""Authorities and certificates of one test run, as PEM files.

What belongs here: making them. What does not: the servers that show them (tests/integration/tls).
"""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Pair:
    """A certificate with its key.

    Attributes:
        certificate: PEM file of the certificate.
        key: PEM file of its key, in PKCS 8, the one form that every server here reads.
    """

    def __init__(self, folder: Path, leaf: trustme.LeafCert) -> None:
        folder.mkdir()
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        for number, pem in enumerate(leaf.cert_chain_pems):
            pem.write_to_path(self.certificate, append=number > 0)
        self._key = load_pem_private_key(leaf.private_key_pem.bytes(), password=None)
        self.key.touch(mode=0o600)
        self._write(NoEncryption())

    def lock(self) -> Pair:
        """Gives the key a password."""
        self._write(BestAvailableEncryption(b"hunter2"))
        return self

    def _write(self, encryption: KeySerializationEncryption) -> None:
        self.key.write_bytes(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


class Authority:
    """Signs certificates.

    Args:
        folder: a new one for its files. Its name holds a space and a plus sign, which a path in a
            URL must survive.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "of an authority+"
        self._folder.mkdir(parents=True)
        self._authority = trustme.CA()
        self._signed = itertools.count()
        self.file = self._folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def server(self, *names: str, not_after: datetime | None = None) -> Pair:
        """A certificate of a server.

        Args:
            names: hosts and addresses that it is for.
            not_after: when it runs out; in many years where nothing is said.
        """
        return self._pair(self._authority.issue_cert(*names, not_after=not_after))

    def client(self, name: str) -> Pair:
        """A certificate of a client, with its name as common name."""
        return self._pair(self._authority.issue_cert(f"{name}@client.test", common_name=name))

    def _pair(self, leaf: trustme.LeafCert) -> Pair:
        return Pair(self._folder / f"number {next(self._signed)}", leaf)

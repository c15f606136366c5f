"""Certificates for the tests, made on the fly: a site's CA, and keys and certificates in files as a node would have them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

import trustme

from dimse.services.security import TLS

HOST = "127.0.0.1"
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Holder:
    """Who holds a private key and its certificate: the files."""

    key: Path
    certificate: Path

    @property
    def fingerprint(self) -> str:
        return sha256(PEM_cert_to_DER_cert(self.certificate.read_text(encoding="ascii").partition("\n-----BEGIN")[0])).hexdigest()


class Site:
    """A CA, whose certificate is in the file `ca`."""

    def __init__(self, folder: Path, name: str = "site") -> None:
        self._ca = trustme.CA(organization_name=f"{name} of the tests")
        self._folder = folder
        self._name = name
        self.ca = folder / f"{name}-ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(self, name: str, *hosts: str, expired: bool = False) -> Holder:
        """A certificate for these hosts (none: this machine), with the name as its common name."""
        not_after = LONG_AGO + datetime.timedelta(1) if expired else None
        made = self._ca.issue_cert(*(hosts or (HOST, "localhost")), common_name=name, not_before=LONG_AGO, not_after=not_after)
        holder = Holder(self._folder / f"{self._name}-{name}.key", self._folder / f"{self._name}-{name}.crt")
        made.private_key_pem.write_to_path(str(holder.key))
        made.cert_chain_pems[0].write_to_path(str(holder.certificate))
        return holder

    def self_signed(self) -> Holder:
        """The CA's own key, with the certificate that it signed for itself."""
        key = self._folder / f"{self._name}-ca.key"
        self._ca.private_key_pem.write_to_path(str(key))
        return Holder(key, self.ca)


def tls_of(holder: Holder | None, site: Site | None, **options: object) -> TLS:
    """What a node with this certificate and this CA uses."""
    given = {"key": holder.key, "certificate": holder.certificate} if holder else {}
    return TLS(**given, ca=site.ca if site else None, **options)  # type: ignore[arg-type]  # options of several types

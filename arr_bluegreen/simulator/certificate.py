"""The simulated machine's own certificate for HTTPS: self-signed, fresh for each start."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from spnego.channel_bindings import GssChannelBindings


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate (``pem``: what a client may trust as its CA file) and its private key."""

    pem: bytes
    key: bytes
    bindings: GssChannelBindings

    def context(self) -> ssl.SSLContext:
        """A server context with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(prefix="arr-bluegreen-tls-", suffix=".pem") as file:  # mode 0600
            file.write(self.key + self.pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def save(self, path: Path) -> None:
        """The public part as a file that clients can name as their CA file."""
        path.write_bytes(self.pem)


def make_certificate(*names: str) -> Certificate:
    """A self-signed certificate for these DNS names and IP addresses, valid from an hour ago for 30 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        pem=built.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        bindings=GssChannelBindings(application_data=b"tls-server-end-point:" + built.fingerprint(hashes.SHA256())),
    )


# -- private ------------------------------------------------------------------------------------------


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

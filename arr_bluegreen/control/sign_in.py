"""What can be seen to be wrong with a sign-in before anything is sent: what is missing, and files that are no use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.control.endpoint import Endpoint
from arr_bluegreen.errors import UsageError

if TYPE_CHECKING:
    from arr_bluegreen.control.connect import ConnectSettings


def check_sign_in(to: Endpoint, settings: ConnectSettings) -> None:
    """Raise ``UsageError`` for what can be seen to be wrong before anything is sent."""
    transport = settings.transport
    if transport == "basic" and not to.tls and not settings.allow_basic_over_http:
        raise UsageError(
            f"{to.host}: Basic over HTTP would send the password readable",
            hint="Use --tls, or --transport ntlm; --allow-basic-over-http is for a simulator on loopback.",
        )
    _check_files(settings)
    if transport == "certificate":
        if not (to.tls and settings.certificate and settings.certificate_key):
            raise UsageError(
                f"{to.host}: transport certificate needs --tls, a certificate and its key (PEM)",
                hint="Give --certificate and --certificate-key, or ARR_BLUEGREEN_CERTIFICATE and ..._CERTIFICATE_KEY.",
            )
        return
    if transport != "kerberos" and not settings.user:
        raise UsageError(f"{to.host}: who signs in?", hint="Set ARR_BLUEGREEN_USER, or give --user.")
    if transport != "kerberos" and not settings.password:
        raise UsageError(f"{to.host}: no password", hint="Set ARR_BLUEGREEN_PASSWORD, or give --password-file.")


# -- private -------------------------------------------------------------------------------------------


def _check_files(settings: ConnectSettings) -> None:
    """Files are tried here: what requests and pywinrm say of a bad one is that the connection broke, that the machine
    is not trusted, or that the credentials are wrong."""
    pair = (settings.certificate, settings.certificate_key) if settings.transport == "certificate" else ("", "")
    if not settings.ca and not any(pair):
        return
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for option, name in (("--ca", settings.ca), ("--certificate", pair[0]), ("--certificate-key", pair[1])):
        try:
            if name and not Path(name).is_dir():
                Path(name).read_bytes()
        except OSError as error:
            raise UsageError(f"{option} {name} cannot be read: {error.strerror}", hint="Name a PEM file.") from error
    try:
        if settings.ca:
            folder = Path(settings.ca).is_dir()  # of hashed certificates
            context.load_verify_locations(**{"capath" if folder else "cafile": settings.ca})
    except ssl.SSLError as error:
        raise UsageError(f"--ca {settings.ca} holds no certificate that can be read", hint=_PEM) from error
    try:
        if all(pair):
            context.load_cert_chain(*pair, password=lambda: "")  # an encrypted key would ask in the middle of a run
    except OSError as error:
        raise UsageError(
            f"{pair[0]} and {pair[1]} are no certificate with its key", hint=f"{_PEM} No passphrase."
        ) from error


_PEM = "PEM files begin with -----BEGIN; convert a .pfx or .cer."

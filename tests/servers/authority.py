"""A certificate authority of a test, server contexts with certificates of its, and certificates that nobody vouches for."""

import ssl
import subprocess
from pathlib import Path


class Authority:
    """`file`: the certificate that whoever trusts it needs."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.file = home / "ca.pem"
        _openssl("req", "-x509", *_key(home / "ca.key"), "-days", "2", "-subj", "/CN=Test CA", "-out", self.file)

    def server(self, name: str) -> ssl.SSLContext:
        """A server's context, with a certificate for this host name."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certificate(name))
        return context

    def certificate(self, name: str) -> tuple[Path, Path]:
        """One for this host name, and its key."""
        chain, key, request, names = (self._home / f"{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        if not chain.exists():
            _openssl("req", "-new", *_key(key), "-subj", f"/CN={name}", "-out", request)
            names.write_text(f"subjectAltName=DNS:{name}")
            signing = ["-CA", self.file, "-CAkey", self._home / "ca.key", "-CAcreateserial", "-days", "2"]
            _openssl("x509", "-req", "-in", request, *signing, "-extfile", names, "-out", chain)
        return chain, key


def self_signed(directory: Path, *names: str) -> tuple[Path, Path]:
    """cert.pem and key.pem for DNS names and `IP:` addresses; who trusts the one trusts the server."""
    made = directory / "cert.pem", directory / "key.pem"
    told = ",".join(name if name.startswith("IP:") else f"DNS:{name}" for name in names)
    options = ["-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={told}"]
    _openssl("req", "-x509", *_key(made[1]), *options, "-out", made[0])
    return made


def _key(path: Path) -> list[str | Path]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)

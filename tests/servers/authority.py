"""A certificate authority of a test, and server contexts with certificates of its."""

import ssl
import subprocess
from pathlib import Path


class Authority:
    """`file`: the certificate that whoever trusts it needs."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.file = home / "ca.pem"
        self._run("req", "-x509", *self._key("ca"), "-days", "2", "-subj", "/CN=Test CA", "-out", str(self.file))

    def server(self, name: str) -> ssl.SSLContext:
        """A server's context, with a certificate for this host name."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certificate(name))
        return context

    def certificate(self, name: str) -> tuple[Path, Path]:
        """One for this host name, and its key."""
        chain = self._home / f"{name}.pem"
        if not chain.exists():
            request = self._home / f"{name}.csr"
            self._run("req", "-new", *self._key(name), "-subj", f"/CN={name}", "-out", str(request))
            names = self._home / f"{name}.ext"
            names.write_text(f"subjectAltName=DNS:{name}")
            signing = ["-CA", str(self.file), "-CAkey", str(self._home / "ca.key"), "-CAcreateserial", "-days", "2"]
            self._run("x509", "-req", "-in", str(request), *signing, "-extfile", str(names), "-out", str(chain))
        return chain, self._home / f"{name}.key"

    def _key(self, name: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        return [*curve, "-keyout", str(self._home / f"{name}.key")]

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)

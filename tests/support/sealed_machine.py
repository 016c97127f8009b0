"""A machine with its settings and its sealed secrets, whose commands run in this process."""

import gc
import io
import os
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.cli import main
from appliance.errors import SealedSecretMissingError
from appliance.identity.file_identity import FileIdentityStore
from appliance.ports import BufferStats
from appliance.sealing.anchor import secrets_of
from appliance.sealing.secret_store import SecretStore
from appliance.sealing.tenant_key import install_tenant_key, load_tenant_key
from appliance.settings import Settings, load_settings
from appliance.status import CertificateStatus, LinkStatus, Status, write_status
from appliance.wire.batch import KeyProtection
from appliance.wire.enrollment import TENANT_SECRET_BYTES, TenantSecrets
from tests.support.appliance_process import NO_TPM, SETTINGS
from tests.support.fake_clock import FakeClock
from tests.support.records import START
from tests.support.tls_peer import APPLIANCE, DAY, TENANT, Authority

SITE = (Path(__file__).parents[1] / "testdata/demo/site.toml").read_text(encoding="utf-8")


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


def run(*arguments: str | Path) -> Done:
    """Run a command of the appliance; what the test has let go of is gone, as with the process that used it."""
    gc.collect()
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


class Machine:
    """One machine with a state directory and a settings file of its own."""

    def __init__(self, folder: Path, *, tpm: str = NO_TPM, url: str = "https://127.0.0.1:9", remark: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.state = folder / "state"
        self.file = folder / "appliance.toml"
        text = SETTINGS.format(state=self.state, url=url, site=SITE, dialect="asterisk_csv", feed=folder / "Master.csv")
        text = text.replace(NO_TPM, tpm)
        self.file.write_text(f"{remark}\n{text}", encoding="utf-8")

    @property
    def settings(self) -> Settings:
        """The settings file as the commands read it."""
        return load_settings(self.file)

    @property
    def secrets(self) -> SecretStore:
        """The sealed secrets; while somebody holds them they are not moved."""
        return secrets_of(self.settings.appliance)[0]

    def enroll(self, authority: Authority) -> TenantSecrets:
        """Give it a certificate and a tenant secret, as an enrollment at the authority's time does."""
        secrets = self.secrets
        store = FileIdentityStore(secrets, FakeClock(authority.now))
        key = x509.load_der_x509_csr(store.propose().request()).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        chain = authority.issue_machine(key)
        store.accept(chain, trust_anchors=authority.pem, tenant=TENANT, appliance=APPLIANCE)
        with suppress(SealedSecretMissingError):
            return load_tenant_key(secrets)
        key = TenantSecrets(1, os.urandom(TENANT_SECRET_BYTES))
        install_tenant_key(secrets, key)
        return key

    def report(self) -> None:
        """Write the status that a running appliance would have left."""
        status = Status(
            version="0.1.0",
            tenant=TENANT,
            appliance=APPLIANCE,
            process=1,
            started_at=START,
            written_at=START,
            key_protection=KeyProtection.FILE,
            certificate=CertificateStatus(START + DAY, START),
            link=LinkStatus("not_tried", "https://receiver", None, None),
            feeds=[],
            buffer=BufferStats(0, 0, 0, 0, 0, 1, [], [], []),
        )
        write_status(self.state, status)

    def run(self, *arguments: str | Path) -> Done:
        """Run a command with its settings file."""
        return run(*arguments, "--settings", self.file)

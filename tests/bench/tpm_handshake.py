"""What a TLS handshake costs whose client key lives in the TPM, beside one with a key in software.

Both are measured in one run in a Debian 13, whose OpenSSL can use the TPM: TLS 1.3, client and server in one process
and in memory, so that nothing but the handshake shows. The TPM is swtpm, as a hypervisor's mostly is, behind a stand-in
for the kernel's resource manager that is slower than that; a chip is slower still. Where there is no such Debian to be
had, the figure's unit says so.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from image.errors import ImageError
from tests.bench.figure import BUILD, Figure
from tests.support.debian13_machine import provider
from tests.support.debian13_tree import Debian13Tree
from tests.support.shared_tpm import SharedTpm
from tests.support.swtpm import Swtpm

NAME = "tls_handshake_tpm_over_software"
LIMIT = "a key in software"


def bench_tpm_handshake(_only: str | None = None) -> Iterator[Figure]:
    """``tls_handshake_tpm_over_software``."""
    tree = Debian13Tree()
    try:
        tree.ensure()
    except ImageError as error:
        yield Figure(NAME, 0.0, f"not measured: {error.code}", LIMIT, 1.0)
        return
    with tempfile.TemporaryDirectory(dir=BUILD) as name, Swtpm(Path(name) / "tpm") as tpm, SharedTpm(tpm) as shared:
        environment = provider(Path(name), shared.open())
        arguments = ["-m", "tests.support.debian13_machine", "figures", shared.open()]
        done = tree.python(*arguments, work=Path(name), environment=environment)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    in_tpm, software = json.loads(done.stdout)
    yield Figure(NAME, in_tpm, "ms, wall, p50", LIMIT, software)

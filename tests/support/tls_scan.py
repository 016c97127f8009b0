"""sslyze, which rates a TLS server, in an environment of its own: it pins a cryptography older than ours.

The environment is made once from ``sslyze.lock`` (hashes checked) in the pytest cache, under the lock's own hash.
"""

import fcntl
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Final
from venv import EnvBuilder

_ROOT: Final = Path(__file__).resolve().parents[2]
_LOCK: Final = _ROOT / "sslyze.lock"
_FINDING: Final = re.compile(r"^ +\* (\w+): (.+)$", re.MULTILINE)


class ScanFailedError(RuntimeError):
    """The scan came to no judgement; the message is what was printed."""


def rate(address: str, *, profile: str, anchors: Path) -> dict[str, str]:
    """Give what Mozilla's ``profile`` (modern, intermediate, old) finds fault with, by the profile's own names.

    Args:
        address: host and port.
        profile: of version 5.7, as sslyze brings it.
        anchors: PEM file of the roots that the server's chain is to verify up to.

    Raises:
        ScanFailedError: the server was not reached, or a part of the scan failed.
    """
    options = ["--mozilla_config", profile, "--certinfo_ca_file", str(anchors)]
    command = [_ready_python(), "-m", "sslyze", *options, address]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    _, _, judgement = done.stdout.partition("COMPLIANCE AGAINST TLS CONFIGURATION")
    if f"{address}: OK - Compliant" in judgement:
        return {}
    if f"{address}: FAILED - Not compliant" not in judgement:
        raise ScanFailedError(done.stdout + done.stderr)
    return dict(_FINDING.findall(judgement))


def _ready_python() -> Path:
    """Give the interpreter of the environment; make that first where it is not there whole."""
    cache = _ROOT / ".pytest_cache" / "tls-scan"
    cache.mkdir(parents=True, exist_ok=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / f"{version}-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python = folder / "bin" / "python"
        if not (folder / "ready").exists():
            EnvBuilder(clear=True, with_pip=True).create(folder)
            options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(_LOCK)]
            subprocess.run([python, "-m", "pip", "install", *options], check=True, timeout=240)
            (folder / "ready").touch()
        return python

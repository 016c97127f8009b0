"""The machine's TLS key in its TPM, used by OpenSSL: in a Debian 13, with a real TPM and a real receiver.

What is marked slow makes the tree, which needs root and a Debian archive.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.debian13_machine import provider
from tests.support.debian13_tree import Debian13Tree
from tests.support.receiver_process import ReceiverProcess
from tests.support.sealed_machine import Machine
from tests.support.shared_tpm import SharedTpm
from tests.support.swtpm import Swtpm

MACHINE: Final = "tests.support.debian13_machine"
IN_TPM: Final = "The key lives in the TPM."
IN_SOFTWARE: Final = "The key is kept sealed"
SUITE: Final = ("tests/appliance/sealing", "tests/appliance/identity", "tests/appliance/test_tls_context.py")
PYTEST: Final = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:randomly")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def tree() -> Debian13Tree:
    """The tree, made once and kept."""
    made = Debian13Tree()
    made.ensure()
    return made


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """A receiver with one tenant."""
    with ReceiverProcess(tmp_path_factory.mktemp("receiver") / "state") as process:
        process.create_tenant("tenant")
        yield process


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[SharedTpm]:
    """A fresh TPM, for OpenSSL and the appliance at the same time."""
    with Swtpm(tmp_path / "tpm") as tpm, SharedTpm(tpm) as shared:
        yield shared


def command(tree: Debian13Tree, machine: Machine, name: str, *options: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a command of the appliance in the tree; its status and all that it said."""
    arguments = ["-m", "appliance", name, "--settings", str(machine.file), *options]
    done = tree.python(*arguments, work=machine.file.parent, environment=env)
    return done.returncode, done.stdout + done.stderr


def found(tree: Debian13Tree, work: Path, *arguments: str, env: Mapping[str, str]) -> Any:
    """What the machine in the tree came to."""
    done = tree.python("-m", MACHINE, *arguments, work=work, environment=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def enroll(
    tree: Debian13Tree, machine: Machine, receiver: ReceiverProcess, name: str, *, env: Mapping[str, str]
) -> None:
    """Enrol, as the installer does."""
    # The tree sees one folder alone.
    invitation = machine.file.parent / "invitation.toml"
    invitation.write_bytes(receiver.invite(name, tenant="tenant").read_bytes())
    status, said = command(tree, machine, "enroll", "--invitation", str(invitation), env=env)
    assert status == 0, said


def test_an_appliance_is_enrolled_with_a_key_in_its_tpm_and_renews_it(
    tree: Debian13Tree, receiver: ReceiverProcess, tmp_path: Path, tpm: SharedTpm
) -> None:
    """The receiver certifies it and takes it over TLS; each renewal makes another key, in the TPM too."""
    machine = Machine(tmp_path / "site", tpm=tpm.open(), url=receiver.url)
    enroll(tree, machine, receiver, "edge-tpm", env=provider(tmp_path / "site", tpm.open()))
    status, said = command(tree, machine, "selftest", env=provider(tmp_path / "site", tpm.open()))
    assert (status, IN_TPM in said) == (0, True), said
    env = provider(tmp_path / "site", tpm.open())
    renewed = found(tree, tmp_path / "site", "renew", str(machine.state), receiver.url, env=env)
    assert renewed == {"in_tpm": [True, True, True], "keys": 3, "hindered": [None, None]}
    status, said = command(tree, machine, "selftest", env=provider(tmp_path / "site", tpm.open()))
    assert (status, IN_TPM in said) == (0, True), said


def test_without_the_provider_the_key_is_software(
    tree: Debian13Tree, receiver: ReceiverProcess, tmp_path: Path, tpm: SharedTpm
) -> None:
    """The same machine, the same commands; the next renewal moves it into the TPM once the provider is there."""
    machine = Machine(tmp_path / "site", tpm=tpm.open(), url=receiver.url)
    enroll(tree, machine, receiver, "edge-soft", env={})
    status, said = command(tree, machine, "selftest", env={})
    assert (status, IN_SOFTWARE in said) == (0, True), said
    env = provider(tmp_path / "site", tpm.open())
    renewed = found(tree, tmp_path / "site", "renew", str(machine.state), receiver.url, env=env)
    assert renewed["in_tpm"] == [False, True, True]


def test_a_key_in_the_tpm_is_of_no_use_elsewhere(
    tree: Debian13Tree, receiver: ReceiverProcess, tmp_path: Path, tpm: SharedTpm
) -> None:
    """Without the provider, or with another TPM behind it, the appliance has its key and cannot use it, and says so."""
    machine = Machine(tmp_path / "site", tpm=tpm.open(), url=receiver.url)
    enroll(tree, machine, receiver, "edge-copied", env=provider(tmp_path / "site", tpm.open()))
    with Swtpm(tmp_path / "other") as other:
        for env in ({}, provider(tmp_path / "site", other.tcti)):
            status, said = command(tree, machine, "selftest", env=env)
            assert (status, "identity_tpm_key_unusable" in said) == (1, True), said
    assert command(tree, machine, "selftest", env=provider(tmp_path / "site", tpm.open()))[0] == 0


def test_both_versions_of_tls_are_spoken(tree: Debian13Tree, tmp_path: Path, tpm: SharedTpm) -> None:
    """The server asks for the certificate, and believes the signature that the TPM made."""
    spoken = found(tree, tmp_path, "handshakes", tpm.open(), env=provider(tmp_path, tpm.open()))
    assert spoken == [["TLSv1.3", "HTTP/1.1 200 OK"], ["TLSv1.2", "HTTP/1.1 200 OK"]]


def test_what_seals_and_what_speaks_tls_does_so_on_its_python_too(tree: Debian13Tree, tmp_path: Path) -> None:
    """Debian 13 brings newer ones of Python, OpenSSL and the TPM's library than the development environment."""
    done = tree.python(*PYTEST, "--basetemp", tmp_path / "inside", *SUITE, work=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout

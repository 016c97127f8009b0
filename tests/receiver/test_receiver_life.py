"""A receiver's life: start, graceful stop, crash, start again; the embedded database with it."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import text

from receiver.errors import DatabaseUnusableError
from receiver.settings import StateFolder
from receiver.storage.connection import embedded_url, open_engine
from receiver.storage.embedded_server import SUPERUSER, running_server
from tests.receiver.deliveries import client_context, make_call, open_client
from tests.receiver.office import Office
from tests.support.receiver_process import ReceiverProcess


def _eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def _is_running(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


def test_a_crash_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """After kill -9 the database has ended too; a new start has every answered record and takes more."""
    process = ReceiverProcess(tmp_path / "state")
    process.start()
    try:
        office = Office(process.state_dir)
        tenant, tenant_id = office.tenant()
        machine = office.machine(tmp_path, tenant=tenant, tenant_id=tenant_id)
        with machine.connect(process) as line:
            assert machine.deliver(line, [make_call()]).status_code == 200
        process.kill()
        assert not _is_running(process.state_dir / "postgres")
        process.start()
        with machine.connect(process) as line:
            assert machine.deliver(line, [make_call()], sequence=2).json()["high_water"]["sequence"] == 2
        key = office.key(tenant_id)
        with open_client(process, client_context(process.trust_anchors), Authorization=f"Bearer {key}") as reader:
            assert len(reader.get("/v1/calls").json()["calls"]) == 2
    finally:
        assert process.stop() == 0
    assert not _is_running(process.state_dir / "postgres")


def test_an_interrupt_ends_gracefully(tmp_path: Path) -> None:
    """SIGINT ends with status 0, as SIGTERM does, and names that were asked for are in the certificate."""
    process = ReceiverProcess(tmp_path / "state")
    process.run("init", "--name", "receiver.test", "--name", "127.0.0.1")
    with process:
        with open_client(process, client_context(process.trust_anchors)) as client:
            assert client.get("/readyz").status_code == 200
        assert process.interrupt() == 0
    (leaf, *_) = x509.load_pem_x509_certificates((process.state_dir / "server.pem").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["receiver.test"]


def test_the_server_is_shared_and_ends_with_its_last_user(tmp_path: Path) -> None:
    """Two users have one server; it runs until the second is gone, also where the path is long for a socket."""
    folder = tmp_path / ("deep" * 25) / "postgres"
    folder.parent.mkdir()
    with running_server(folder) as first:
        with running_server(folder) as second:
            assert first == second
            assert len(os.fsencode(first)) < 90
        assert _is_running(folder)
        assert (first / ".s.PGSQL.5432").is_socket()
    assert _eventually(lambda: not _is_running(folder))


def test_data_that_is_none_is_refused(tmp_path: Path) -> None:
    """A data folder that PostgreSQL does not take is a typed error, and it is left as it was."""
    folder = tmp_path / "postgres"
    (folder / "data").mkdir(parents=True, mode=0o700)
    with pytest.raises(DatabaseUnusableError), running_server(folder):
        pass
    assert list((folder / "data").iterdir()) == []


def test_the_log_holds_no_statement(receiver: ReceiverProcess, office: Office) -> None:
    """An error within the database is logged without the statement and without the values."""
    _, tenant_id = office.tenant()
    secret = "32470123456"
    with pytest.raises(Exception, match="syntax"):
        office.execute(tenant_id, f"SELECT '{secret}'::uuid")
    log = (StateFolder.at(receiver.state_dir).postgres_folder / "server.log").read_text()
    assert "ERROR" in log
    assert "SELECT" not in log.split("ready to accept connections")[-1]


async def _end_connections(socket_folder: Path) -> None:
    superuser = open_engine(embedded_url(SUPERUSER, socket_folder=str(socket_folder)))
    ended = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'natalia%'")
    try:
        async with superuser.connect() as connection:
            await connection.execute(ended)
    finally:
        await superuser.dispose()


def test_connections_that_the_database_ended_cost_no_request(receiver: ReceiverProcess, office: Office) -> None:
    """They are made anew before they are used, so a restart of the database is not noticed afterwards."""
    _, tenant_id = office.tenant()
    headers = {"Authorization": f"Bearer {office.key(tenant_id)}"}
    with open_client(receiver, client_context(receiver.trust_anchors), **headers) as reader:
        assert reader.get("/v1/calls").status_code == 200
        with running_server(StateFolder.at(receiver.state_dir).postgres_folder) as socket_folder:
            asyncio.run(_end_connections(socket_folder))
        assert [reader.get("/v1/calls").status_code for _ in range(3)] == [200] * 3
        assert reader.get("/readyz").status_code == 200


def test_requests_at_once_are_all_served(receiver: ReceiverProcess) -> None:
    """More connections than the database pool has are served one after the other, not refused."""

    def ready(_: int) -> int:
        with open_client(receiver, client_context(receiver.trust_anchors)) as client:
            return int(client.get("/readyz").status_code)

    with ThreadPoolExecutor(max_workers=20) as pool:
        assert set(pool.map(ready, range(40))) == {200}

"""The status file says how the appliance is, in counts, codes and times."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from appliance.errors import ApprovalPendingError, UplinkError, UplinkUnavailableError
from appliance.policy.renewal_window import RenewalWindow
from appliance.ports import TPM_KEY, BufferStats, SecretBytes
from appliance.status import (
    FILE_NAME,
    CertificateRecorder,
    CertificateStatus,
    FeedStatus,
    LinkRecorder,
    ReportRecorder,
    Status,
    StatusUnknownError,
    certificate_status,
    read_status,
    write_status,
)
from appliance.wire.batch import KeyProtection, Refusal, RefusalCode
from tests.support.fake_clock import FakeClock
from tests.support.records import START, verdict
from tests.support.tls_peer import DAY, Authority


def status() -> Status:
    """A status as the daemon writes it first."""
    return Status(
        version="0.1.0",
        tenant="tenant-a",
        appliance="edge-a",
        process=1,
        started_at=START,
        written_at=START,
        key_protection=KeyProtection.FILE,
        certificate=CertificateStatus(START + timedelta(days=7), START),
        link=LinkRecorder("https://receiver", FakeClock()).status,
        feeds=[FeedStatus("main", "asterisk_csv", "waiting", None)],
        buffer=BufferStats(0, 0, 0, 4096, 2**20, 0, [], [], []),
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """The file is replaced whole: no partial file stays."""
    write_status(tmp_path, status())
    write_status(tmp_path, status())
    assert read_status(tmp_path) == status()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"version": 1}', b"\xff"])
def test_a_status_that_cannot_be_read_is_said_to_be_unknown(tmp_path: Path, content: bytes | None) -> None:
    """Never written or damaged: a typed error with a hint."""
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StatusUnknownError):
        read_status(tmp_path)


def test_the_link_state_follows_delivery(caplog: pytest.LogCaptureFixture) -> None:
    """Each change is kept with the time of the last contact, and logged once."""
    clock = FakeClock()
    link = LinkRecorder("https://receiver", clock)
    assert link.status.state == "not_tried"

    link.unavailable(UplinkUnavailableError("away"))
    link.unavailable(UplinkUnavailableError("away"))
    assert (link.status.state, link.status.last_problem, link.status.last_contact_at) == (
        "unavailable",
        "uplink_unavailable",
        None,
    )
    link.delivered(verdict(1, 1, accepted=1, refused=[Refusal(0, RefusalCode.TIME_ORDER)]))
    assert (link.status.state, link.status.last_contact_at) == ("ok", clock.now())
    link.refused(UplinkError("no", problem_code="batch_invalid"))
    assert link.status.last_problem == "batch_invalid"
    link.older_copy()

    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("link=unavailable problem=uplink_unavailable") == 1
    assert "link=ok refused_records=1" in messages
    assert any(message.startswith("buffer=older_copy") for message in messages)


def test_the_state_of_reporting_follows_what_the_receiver_was_told(caplog: pytest.LogCaptureFixture) -> None:
    """The time of the last report outlives a failure; each change is logged once."""
    caplog.set_level("INFO")
    clock = FakeClock()
    recorder = ReportRecorder(clock)
    assert recorder.status.last_reported_at is None
    recorder.reported()
    recorder.unreported(UplinkUnavailableError("away"))
    recorder.unreported(UplinkUnavailableError("away"))
    assert (recorder.status.last_reported_at, recorder.status.last_problem) == (clock.now(), "uplink_unavailable")
    recorder.unreported(UplinkError("no", problem_code="batch_invalid"))
    recorder.reported()
    assert recorder.status.last_problem is None
    assert [record.getMessage() for record in caplog.records] == [
        "completeness=uplink_unavailable",
        "completeness=batch_invalid",
        "completeness=reported",
    ]


def test_the_state_of_the_certificate_follows_its_renewal(caplog: pytest.LogCaptureFixture) -> None:
    """What is in use, what is planned and what hinders; each change is logged once."""
    caplog.set_level("INFO")
    clock = FakeClock()
    first, second = Authority(now=START).identity(), Authority(now=START + DAY).identity()
    recorder = CertificateRecorder(CertificateStatus(first.expires_at, first.renewed_at))
    recorder.holds(first, RenewalWindow.plan(first.valid_from, first.expires_at, draw=0.5, seen_at=0))
    recorder.hindered(ApprovalPendingError("wait"))
    recorder.hindered(ApprovalPendingError("wait"))
    window = RenewalWindow.plan(second.valid_from, second.expires_at, draw=0.5, seen_at=clock.monotonic())
    recorder.holds(second, window)
    assert recorder.status == CertificateStatus(
        second.expires_at, second.renewed_at, window.planned_at, "approval_pending"
    )
    recorder.unhindered()
    assert recorder.status.last_problem is None
    recorder.went_back()
    assert [record.getMessage() for record in caplog.records] == [
        "certificate=approval_pending",
        f"certificate=renewed until={second.expires_at.isoformat()}",
        "certificate=well",
        f"certificate=went_back until={second.expires_at.isoformat()}",
    ]


def test_where_the_key_lives_follows_the_renewal() -> None:
    """A renewal may move it into the TPM."""
    first, second = Authority(now=START).identity(), Authority(now=START + DAY).identity()
    second = structs.replace(second, private_key=SecretBytes(TPM_KEY + b"..."))
    recorder = CertificateRecorder(certificate_status(first))
    assert not recorder.status.key_in_tpm
    recorder.holds(second, RenewalWindow.plan(second.valid_from, second.expires_at, draw=0.5, seen_at=0))
    assert recorder.status.key_in_tpm

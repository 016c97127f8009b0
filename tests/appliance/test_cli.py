"""The command line does what it says, refuses with a code and a hint, and never shows a line of a feed."""

import json
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from appliance.buffer.sqlite_buffer import BufferSettings, SqliteBuffer
from appliance.cli import main
from appliance.ports import BufferStats, QuarantineCount, QuarantinedLine, SecretBytes, Tally
from appliance.status import CertificateStatus, FeedStatus, LinkStatus, Status, write_status
from appliance.wire.batch import KeyProtection
from appliance.wire.call import Call
from tests.support.appliance_process import SETTINGS
from tests.support.records import START, account, intake

DEMO = Path(__file__).parents[1] / "testdata/demo"
HOSTILE = b'"","0470998877","201","from-trunk","""Eve Hacker"" <0470998877>","SIP/trunk-1","x"\n'


def run(*arguments: str | Path) -> int:
    """Run the command in this process; give its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """An appliance's settings with a state directory of its own."""
    path = tmp_path / "appliance.toml"
    (tmp_path / "state").mkdir()
    path.write_text(
        SETTINGS.format(
            state=tmp_path / "state",
            url="https://127.0.0.1:1",
            site=(DEMO / "site.toml").read_text(encoding="utf-8"),
            dialect="asterisk_csv",
            feed=tmp_path / "Master.csv",
        ),
        encoding="utf-8",
    )
    return path


def test_preview_prints_wire_records_and_a_summary(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """One JSON record a line on stdout, counts and refused line numbers on stderr, the same counts as JSON."""
    summary = tmp_path / "summary.json"
    status = run(
        "preview",
        "--dialect",
        "asterisk_csv",
        "--site",
        DEMO / "site.toml",
        "--summary-json",
        summary,
        DEMO / "Master.csv",
    )
    assert status == 0
    out, err = capfdbinary.readouterr()
    counts = json.loads(summary.read_bytes())
    records = [msgspec.json.decode(line, type=Call) for line in out.splitlines()]
    assert len(records) == counts["records"] > 1000
    assert counts["lines"] == counts["records"] + counts["quarantined"] + counts["ignored"]
    assert (
        counts["quarantined"]
        == sum(counts["by_reason"].values())
        == len(re.findall(rb"^line \d+: \w+$", err, re.MULTILINE))
    )
    assert f"{counts['lines']} lines: {counts['records']} records".encode() in err


def test_preview_gives_the_same_pseudonyms_for_the_same_secret(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With a secret file the output repeats; without one it is different each time."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    outputs = []
    for options in (("--tenant-secret-file", secret), ("--tenant-secret-file", secret), (), ()):
        assert run("preview", "--dialect", "asterisk_csv", *options, DEMO / "Master.csv") == 0
        outputs.append(capfdbinary.readouterr().out)
    assert outputs[0] == outputs[1]
    assert len({*outputs}) == 3


def test_preview_names_a_refused_line_by_number_only(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The number and the reason, never the content; a last line without line end counts."""
    feed = tmp_path / "feed.csv"
    feed.write_bytes(b"\n" + HOSTILE + HOSTILE.rstrip(b"\n"))
    assert run("preview", "--dialect", "asterisk_csv", feed) == 0
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"line 2: column_count" in err
    assert b"line 3: column_count" in err
    assert b"note: no --site given" in err
    assert b"3 lines: 0 records, 2 quarantined (column_count 2), 1 ignored" in err
    for secret in (b"0470998877", b"Eve", b"trunk"):
        assert secret not in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["preview", "--dialect", "nonsense", "FEED"], "dialect_unknown"),
        (["preview", "--dialect", "asterisk_csv", "MISSING"], "source_unreadable"),
        (["preview", "--dialect", "asterisk_csv", "--site", "MISSING", "FEED"], "settings_invalid"),
        (["preview", "--dialect", "asterisk_csv", "--tenant-secret-file", "SHORT", "FEED"], "settings_invalid"),
        (["status", "--settings", "MISSING"], "settings_invalid"),
        (["run", "--settings", "MISSING"], "settings_invalid"),
    ],
)
def test_a_refusal_has_a_code_a_hint_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: str
) -> None:
    """Whatever is wrong, the operator reads what and what next, and no traceback."""
    (tmp_path / "FEED").write_bytes(HOSTILE)
    (tmp_path / "SHORT").write_bytes(b"short")
    files = [str(tmp_path / argument) if argument.isupper() else argument for argument in arguments]
    assert run(*files) == 1
    err = capsys.readouterr().err
    assert f"error[{code}]: " in err
    assert "hint: " in err
    assert "Traceback" not in err


def test_every_mistake_of_a_settings_file_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line an option, with its path."""
    settings = tmp_path / "appliance.toml"
    settings.write_text(
        '[site]\ntimezone = "Nowhere/City"\ncountry = "be"\n[privacy]\nclear_digits = 7\n', encoding="utf-8"
    )
    assert run("status", "--settings", settings) == 1
    err = capsys.readouterr().err
    for option in ("site.timezone", "site.country", "privacy.clear_digits", "appliance", "receiver", "feeds"):
        assert f"error[settings_invalid]: {option}: " in err


def test_wrong_usage_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Click says what is missing."""
    assert run("preview") == 2
    assert run("enroll") == 2
    assert "--invitation" in capsys.readouterr().err


def test_dialects_says_what_identifies_a_record_and_what_may_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """For each dialect its transports, identity, loss and manual."""
    assert run("dialects") == 0
    out = capsys.readouterr().out
    assert "asterisk_csv" in out
    for label in ("reads:", "arrives by:", "identity:", "loss before us:", "manual:"):
        assert label in out


def test_preview_tells_a_wrong_time_zone_and_names_one_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo's PBX stands in Brussels; a site in Azores time is off by two hours, and is told so."""
    wrong = (DEMO / "site.toml").read_text(encoding="utf-8").replace("Europe/Brussels", "Atlantic/Azores")
    (tmp_path / "site.toml").write_text(wrong, encoding="utf-8")
    options = ["--site", tmp_path / "site.toml", "--summary-json", tmp_path / "summary.json"]
    assert run("preview", "--dialect", "asterisk_csv", *options, DEMO / "Master.csv") == 0
    err = capsys.readouterr().err
    assert "warning: the times do not fit Atlantic/Azores" in err
    assert "Europe/Brussels" in err
    zone = json.loads((tmp_path / "summary.json").read_bytes())["zone"]
    assert (zone["configured"], zone["fits"], zone["would_fit"][0]) == ("Atlantic/Azores", False, "Europe/Brussels")
    options[1] = DEMO / "site.toml"
    assert run("preview", "--dialect", "asterisk_csv", *options, DEMO / "Master.csv") == 0
    assert "warning" not in capsys.readouterr().err
    assert json.loads((tmp_path / "summary.json").read_bytes())["zone"]["fits"] is True


def daemons_report() -> Status:
    """What a daemon with a few things to say would have written."""
    return Status(
        version="0.1.0",
        tenant="tenant-a",
        appliance="edge-a",
        process=1,
        started_at=START,
        written_at=START,
        key_protection=KeyProtection.FILE,
        certificate=CertificateStatus(
            START + timedelta(days=7), START, START + timedelta(days=4, hours=16), "approval_pending"
        ),
        link=LinkStatus("unavailable", "https://receiver", START, "uplink_unavailable"),
        feeds=[
            FeedStatus("main", "asterisk_csv", "waiting", None, zone_fits=False, zones_that_fit=["Europe/Lisbon"]),
            FeedStatus("other", "asterisk_csv", "waiting", None, zone_fits=False),
        ],
        buffer=BufferStats(
            1,
            2,
            300,
            4096,
            2**20,
            3,
            [QuarantineCount("line", "column_count", 4)],
            [Tally("", "", {"salvaged": 1}), Tally("main", "2026-10-20", {"read": 12, "recorded": 9})],
            [account()],
        ),
    )


def test_status_reads_what_the_daemon_reported(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words for an installer, and as JSON for machines."""
    assert run("status", "--settings", settings) == 1
    assert "status_unknown" in capsys.readouterr().err
    report = daemons_report()
    write_status(settings.parent / "state", report)
    assert run("status", "--settings", settings) == 0
    out = capsys.readouterr().out
    for text in (
        "edge-a (tenant tenant-a)",
        "until 2026-10-27 08:00:00 UTC",
        "last renewal  2026-10-20 08:00:00 UTC",
        "next renewal  2026-10-25 00:00:00 UTC (approval_pending)",
        "level 1 of 3",
        "https://receiver: unavailable (uplink_unavailable)",
        "asterisk_csv: waiting, last read never; its times do not fit site.timezone, Europe/Lisbon would fit",
        "its times do not fit site.timezone, and no zone would fit",
        "2 records in 1 batches wait",
        "set aside: 4 (line, column_count)",
        "completeness  reported never",
        "whole buffer: salvaged 1",
        "2026-10-20 main: read 12 = recorded 9 + ",
    ):
        assert text in out
    assert run("status", "--json", "--settings", settings) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Status) == report


@pytest.mark.parametrize(
    ("in_tpm", "says"),
    [(True, "The key lives in the TPM."), (False, "The key is kept sealed, as the other secrets")],
    ids=["TPM", "software"],
)
def test_status_says_where_the_key_lives(
    settings: Path, capsys: pytest.CaptureFixture[str], *, in_tpm: bool, says: str
) -> None:
    """Of the certificate that is in use."""
    report = daemons_report()
    certificate = msgspec.structs.replace(report.certificate, key_in_tpm=in_tpm)
    write_status(settings.parent / "state", msgspec.structs.replace(report, certificate=certificate))
    assert run("status", "--settings", settings) == 0
    assert f"until 2026-10-27 08:00:00 UTC. {says}" in capsys.readouterr().out


def test_buffer_stats_reads_the_database_or_the_daemons_report(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a daemon holds the buffer its report is shown; without either, the refusal says so."""
    assert run("buffer", "stats", "--settings", settings) == 1
    assert "buffer_unusable" in capsys.readouterr().err
    buffer = SqliteBuffer.open(
        settings.parent / "state/buffer.db",
        masters={1: SecretBytes(bytes(32))},
        settings=BufferSettings("tenant-a", "edge-a", KeyProtection.FILE, cap_bytes=2**24, batch_records=10),
    )
    buffer.append(intake([1, 2, 3], quarantined=[QuarantinedLine(0, "binary", b"x")]))
    assert run("buffer", "stats", "--settings", settings) == 1
    assert "status_unknown" in capsys.readouterr().err
    buffer.close()
    assert run("buffer", "stats", "--json", "--settings", settings) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 3
    assert run("buffer", "stats", "--settings", settings) == 0
    assert "3 records in 1 batches wait" in capsys.readouterr().out

"""The options of ``[appliance]`` that say what the secrets hang on."""

from pathlib import Path

import pytest

from appliance.errors import SettingsError
from appliance.settings import load_settings, parse_settings
from tests.appliance.test_settings import SMALLEST


def parsed(text: str) -> str | list[str]:
    """The TPM of settings with ``text`` in ``[appliance]``; or what is wrong with them."""
    content = SMALLEST.replace("[appliance]", f"[appliance]\n{text}").encode()
    try:
        return parse_settings(content, place="settings").appliance.tpm
    except SettingsError as error:
        return error.mistakes


def test_without_a_word_the_tpm_is_the_kernels_and_there_is_no_passphrase(tmp_path: Path) -> None:
    """The resource manager's device, which cleans up after who is gone."""
    (tmp_path / "file").write_text(SMALLEST)
    read = load_settings(tmp_path / "file").appliance
    assert (read.tpm, read.passphrase_file) == ("device:/dev/tpmrm0", None)


@pytest.mark.parametrize(
    "tpm",
    ["device:/dev/tpmrm0", "device:/dev/tpm1", "tabrmd", "swtpm:host=127.0.0.1,port=2321"],
    ids=lambda tpm: tpm[:6],
)
def test_a_way_to_a_tpm_is_taken(tpm: str) -> None:
    """The kernel's device, the resource manager's service, a software TPM on this machine."""
    assert parsed(f'tpm = "{tpm}"') == tpm


@pytest.mark.parametrize(
    "tpm",
    [
        "",
        "cmd:sh",
        "device:/dev/sda",
        "device:/dev/tpmrm0\\n",
        "swtpm:host=192.0.2.1,port=2321",
        "swtpm:host=127.0.0.1,port=0",
        "swtpm:path=/tmp/socket",
        "tabrmd:bus_name=other",
        "libtpms:/tmp/state",
    ],
    ids=["empty", "program", "disk", "line end", "other host", "port zero", "path", "other bus", "library"],
)
def test_any_other_way_is_refused(tpm: str) -> None:
    """None that starts a program, and none to another machine's TPM."""
    mistakes = parsed(f'tpm = "{tpm}"')
    assert isinstance(mistakes, list)
    assert [mistake.startswith("appliance.tpm: wanted: How the TPM is reached") for mistake in mistakes] == [True]


def test_a_passphrase_file_has_an_absolute_path() -> None:
    """The same file wherever the process was started."""
    assert parsed('passphrase_file = "/run/credentials/passphrase"') == "device:/dev/tpmrm0"
    mistakes = parsed('passphrase_file = "passphrase"')
    assert isinstance(mistakes, list)
    assert mistakes[0].startswith("appliance.passphrase_file: wanted: ")

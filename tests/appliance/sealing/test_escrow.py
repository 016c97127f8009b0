"""The tenant secret in the customer's safe: made, opened, and every way in which that can fail."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyrage
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appliance.errors import ApplianceError
from appliance.sealing.durable import Disk
from appliance.sealing.escrow import (
    ARMOUR,
    Escrow,
    make_escrow,
    open_escrow,
    read_recipient,
    read_recipient_file,
    write_escrow,
)
from appliance.sealing.escrow_errors import (
    EscrowDamagedError,
    EscrowError,
    EscrowFileError,
    EscrowFormatError,
    EscrowIdentityError,
    EscrowIdentityMismatchError,
    EscrowRecipientError,
)
from appliance.wire.enrollment import TenantSecrets
from tests.support import age_format

OFFICER = pyrage.x25519.Identity.generate()
STRANGER = pyrage.x25519.Identity.generate()
RECIPIENT = str(OFFICER.to_public())
TENANT = "11111111-2222-3333-4444-555555555555"
SECRET = bytes(range(100, 132))
ESCROW = Escrow(TENANT, 3, SECRET, datetime(2026, 11, 25, 12, tzinfo=UTC))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An escrow to the officer."""
    path = tmp_path / "escrow.age"
    write_escrow(path, make_escrow(ESCROW, RECIPIENT))
    return path


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """The officer's identity as age-keygen writes it."""
    path = tmp_path / "identity.txt"
    path.write_text(f"# created: today\n# public key: {RECIPIENT}\n{OFFICER}\n")
    return path


def test_the_officer_opens_what_was_made(file: Path, identity: Path) -> None:
    """Tenant, version and secret; none of it shows itself."""
    opened = open_escrow(file, identity_file=identity)
    assert opened == ESCROW
    assert opened.key == TenantSecrets(3, SECRET)
    assert repr(opened) == "Escrow(…)"


def test_the_file_is_armoured_its_owners_alone_and_says_nothing(file: Path) -> None:
    """It is printed, so it is ASCII; no two are alike."""
    content = file.read_bytes()
    assert content.startswith(ARMOUR)
    assert content.isascii()
    assert len(content) < 1000
    assert TENANT.encode() not in content
    assert file.stat().st_mode & 0o777 == 0o600
    assert make_escrow(ESCROW, RECIPIENT) != make_escrow(ESCROW, RECIPIENT)


def test_another_implementation_opens_it(file: Path) -> None:
    """Written from the specification, without the library: the officer's own program will do."""
    opened = age_format.decrypt(file.read_bytes(), str(OFFICER))
    assert msgspec.json.decode(opened, type=Escrow) == ESCROW


def test_what_another_implementation_made_opens(tmp_path: Path, identity: Path) -> None:
    """An officer may have encrypted the content anew, to another safe."""
    path = tmp_path / "again.age"
    path.write_bytes(age_format.encrypt(msgspec.json.encode(ESCROW), RECIPIENT))
    assert open_escrow(path, identity_file=identity) == ESCROW


def test_blanks_around_it_and_other_line_ends_do_not_matter(file: Path, identity: Path) -> None:
    """It may have been typed in or sent by mail."""
    file.write_bytes(b"\r\n \n" + file.read_bytes().replace(b"\n", b"\r\n") + b"\n \n")
    assert open_escrow(file, identity_file=identity) == ESCROW


def test_the_binary_form_opens_too(file: Path, identity: Path) -> None:
    """Somebody may have taken the armour off."""
    key = pyrage.x25519.Recipient.from_str(RECIPIENT)
    file.write_bytes(pyrage.encrypt(msgspec.json.encode(ESCROW), [key]))
    assert open_escrow(file, identity_file=identity) == ESCROW


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "age1",
        RECIPIENT[:-1],
        RECIPIENT[:-1] + ("q" if RECIPIENT[-1] != "q" else "p"),
        f"{RECIPIENT}\n{RECIPIENT}",
        str(OFFICER),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN",
        "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
        "\0",
        "x" * 100_000,
    ],
    ids=["none", "comment", "prefix", "cut", "typo", "two", "secret key", "ssh", "plugin", "zero", "long"],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    """With its own error, which repeats none of it: it might be the secret key."""
    with pytest.raises(EscrowRecipientError) as caught:
        read_recipient(text)
    assert str(OFFICER) not in str(caught.value)
    with pytest.raises(EscrowRecipientError):
        make_escrow(ESCROW, text)


def test_a_recipient_may_stand_in_a_file(tmp_path: Path) -> None:
    """With comments; a file that cannot be read or is no text is refused by its own errors."""
    path = tmp_path / "recipient"
    path.write_text(f"# the officer's\n\n{RECIPIENT}\n")
    assert read_recipient_file(path) == RECIPIENT
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(EscrowRecipientError):
        read_recipient_file(path)
    with pytest.raises(EscrowFileError):
        read_recipient_file(tmp_path / "missing")


def test_a_file_is_never_overwritten(file: Path, identity: Path) -> None:
    """It may be the only one that opens; a link is not followed either."""
    with pytest.raises(EscrowFileError, match="is there already"):
        write_escrow(file, b"other")
    link = file.with_name("link")
    link.symlink_to(file.with_name("elsewhere"))
    with pytest.raises(EscrowFileError):
        write_escrow(link, b"other")
    assert not file.with_name("elsewhere").exists()
    assert open_escrow(file, identity_file=identity) == ESCROW


def test_a_full_medium_leaves_no_half_file(tmp_path: Path) -> None:
    """The error is typed, and what was begun is taken away."""

    def fill(file: int, content: bytes) -> int:
        if os.fstat(file).st_size:
            raise OSError(28, "No space left on device")
        return os.write(file, content[:100])

    with pytest.raises(EscrowFileError, match="No space left"):
        write_escrow(tmp_path / "escrow.age", b"content" * 100, disk=Disk(write=fill))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none_has_a_typed_error(tmp_path: Path) -> None:
    """No such folder, no such name."""
    for path in (tmp_path / "nowhere" / "escrow.age", Path("a\0b")):
        with pytest.raises(EscrowFileError):
            write_escrow(path, b"content")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EscrowIdentityError),
        (b"# a comment\n", EscrowIdentityError),
        (b"\xff\xfe", EscrowIdentityError),
        (RECIPIENT.encode(), EscrowIdentityError),
        (str(OFFICER)[:-1].encode(), EscrowIdentityError),
        ((str(OFFICER) + "\n").encode() * 17, EscrowIdentityError),
        (b"x" * 100_000, EscrowFormatError),
        (str(STRANGER).encode(), EscrowIdentityMismatchError),
    ],
    ids=["empty", "comment", "no text", "recipient", "cut", "many", "long", "a stranger's"],
)
def test_an_identity_that_does_not_open_it_has_its_own_error(
    file: Path, identity: Path, content: bytes, error: type[EscrowError]
) -> None:
    """No identity, or another one; no message shows one."""
    identity.write_bytes(content)
    with pytest.raises(EscrowError) as caught:
        open_escrow(file, identity_file=identity)
    assert type(caught.value) is error
    assert "AGE-SECRET" not in str(caught.value)


def test_of_several_identities_one_may_fit(file: Path, identity: Path) -> None:
    """A key ring of old and new ones."""
    identity.write_text(f"{STRANGER}\n{OFFICER}\n")
    assert open_escrow(file, identity_file=identity) == ESCROW


def remade(plaintext: bytes) -> bytes:
    """An age file to the officer with something else in it."""
    return age_format.encrypt(plaintext, RECIPIENT)


def edited(**changes: object) -> bytes:
    """An escrow with other fields."""
    return remade(msgspec.json.encode(msgspec.to_builtins(ESCROW) | changes))


FILES: dict[str, tuple[bytes, type[EscrowError]]] = {
    "empty": (b"", EscrowFormatError),
    "text": (b"the secret is in another place", EscrowFormatError),
    "huge": (ARMOUR + b"\n" + b"A" * 2**17, EscrowFormatError),
    "pgp": (b"-----BEGIN PGP MESSAGE-----\n", EscrowFormatError),
    "head alone": (ARMOUR, EscrowDamagedError),
    "binary head alone": (b"age-encryption.org/v1\n", EscrowDamagedError),
    "for a passphrase": (pyrage.passphrase.encrypt(b"x", "correct horse", armored=True), EscrowIdentityMismatchError),
    "other content": (remade(b"hello"), EscrowFormatError),
    "nothing in it": (remade(b""), EscrowFormatError),
    "next version": (edited(type="natalia_escrow.v2"), EscrowFormatError),
    "more fields": (edited(phone="none"), EscrowFormatError),
    "short secret": (edited(tenant_secret="AAAA"), EscrowFormatError),
    "no tenant": (edited(tenant="acme"), EscrowFormatError),
    "version zero": (edited(key_version=0), EscrowFormatError),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_escrow_has_its_own_error(file: Path, identity: Path, name: str) -> None:
    """Not age, not ours, not of this version, cut."""
    content, error = FILES[name]
    file.write_bytes(content)
    with pytest.raises(EscrowError) as caught:
        open_escrow(file, identity_file=identity)
    assert type(caught.value) is error


def test_a_missing_file_has_its_own_error(file: Path, identity: Path) -> None:
    """The escrow or the identity."""
    with pytest.raises(EscrowFileError):
        open_escrow(file.with_name("missing"), identity_file=identity)
    with pytest.raises(EscrowFileError):
        open_escrow(file, identity_file=identity.with_name("missing"))


def test_cut_anywhere_it_is_refused(file: Path, identity: Path) -> None:
    """No part of an escrow is one, but for its last line end."""
    content = file.read_bytes().rstrip()
    for end in range(len(content)):
        file.write_bytes(content[:end])
        with pytest.raises(EscrowError):
            open_escrow(file, identity_file=identity)


def test_with_any_byte_changed_it_is_refused(file: Path, identity: Path) -> None:
    """Or it is the same: a last base64 letter has bits that say nothing."""
    content = file.read_bytes()
    damaged = 0
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1
        file.write_bytes(altered)
        try:
            assert open_escrow(file, identity_file=identity) == ESCROW
        except EscrowError:
            damaged += 1
    assert damaged > len(content) * 0.9


@given(content=st.binary(max_size=300), armoured=st.booleans())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_typed_error(file: Path, identity: Path, content: bytes, *, armoured: bool) -> None:
    """A hostile file never crashes the command."""
    file.write_bytes((ARMOUR + b"\n" if armoured else b"age-encryption.org/v1\n") + content)
    with pytest.raises(EscrowError):
        open_escrow(file, identity_file=identity)


def test_every_error_has_a_code_and_a_hint_of_its_own() -> None:
    """They are told apart by who reads them and by programs."""
    kinds: list[type[EscrowError]] = [EscrowError, *EscrowError.__subclasses__()]
    assert len({kind.code for kind in kinds}) == len({kind.hint for kind in kinds}) == len(kinds) == 7
    assert all(kind.code.startswith("escrow_") and kind.hint != ApplianceError.hint for kind in kinds)

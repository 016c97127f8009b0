"""Chains through any number of rollovers, judged by OpenSSL's own program, which knows nothing of ours."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store

from receiver.domain.certificate_profile import CA_LIFETIME, MACHINE_LIFETIME, issuing_builder, machine_builder, subject
from receiver.kms.generation_files import GenerationFiles, read_issuing_key, read_root_key
from receiver.kms.local_authority import LocalFileAuthority
from receiver.kms.local_rollover import LocalRollover
from tests.receiver.authorities import DAY, MACHINE, START, Leaf, issue_machine, issue_server, openssl_verify, roll_over

ISSUE = {"sslclient": issue_machine, "sslserver": issue_server}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh authority."""
    LocalFileAuthority.ensure(tmp_path / "ca", now=START)
    return tmp_path / "ca"


def _known(rollovers: int) -> list[tuple[int, int]]:
    return [(rollovers, known) for known in range(rollovers + 1)]


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
@pytest.mark.parametrize(("rollovers", "known"), [case for times in range(4) for case in _known(times)])
def test_whoever_knows_one_root_verifies_what_is_issued_now(
    folder: Path, tmp_path: Path, rollovers: int, known: int, purpose: str
) -> None:
    """After 0 to 3 rollovers a peer that knows only the first, or any later root, verifies the newest leaves."""
    now = roll_over(folder, times=rollovers)
    authority = LocalFileAuthority.load(folder)
    leaf = ISSUE[purpose](authority, now=now)
    told = openssl_verify(tmp_path, leaf, anchors=[authority.anchors[known]], purpose=purpose, now=now)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize(("rollovers", "known"), [case for times in range(4) for case in _known(times)])
def test_the_verifier_of_the_appliance_agrees(folder: Path, rollovers: int, known: int) -> None:
    """It is another program than OpenSSL; with one root, and with all of them, it takes the same chains."""
    now = roll_over(folder, times=rollovers)
    authority = LocalFileAuthority.load(folder)
    leaf = issue_machine(authority, now=now)
    for anchors in ([authority.anchors[known]], authority.anchors):
        verifier = PolicyBuilder().store(Store(anchors)).time(now).build_client_verifier()
        assert verifier.verify(leaf.certificate, leaf.chain).subjects is not None


@pytest.mark.parametrize("rollovers", [1, 2, 3])
def test_without_the_ladder_it_would_not_verify(folder: Path, tmp_path: Path, rollovers: int) -> None:
    """It is the cross-certificates that lead from an old root to the new one."""
    now = roll_over(folder, times=rollovers)
    authority = LocalFileAuthority.load(folder)
    leaf = issue_server(authority, now=now)
    bare = leaf._replace(chain=[authority.issuing])
    told = openssl_verify(tmp_path, bare, anchors=[authority.anchors[0]], purpose="sslserver", now=now)
    assert "unable to get local issuer certificate" in told.stderr


def test_a_sleeper_finds_its_way_when_its_root_was_retired(folder: Path, tmp_path: Path) -> None:
    """The receiver has forgotten the first two roots; a machine that knows only the first still verifies the server."""
    first = LocalFileAuthority.load(folder).anchors
    now = roll_over(folder, times=3) + 300 * DAY
    for _ in range(2):
        LocalRollover(folder).retire(now=now)
    authority = LocalFileAuthority.load(folder)
    assert len(authority.anchors) == 2
    leaf = issue_server(authority, now=now)
    assert openssl_verify(tmp_path, leaf, anchors=first, purpose="sslserver", now=now).returncode == 0


@pytest.mark.parametrize("rollovers", [1, 2])
def test_the_new_root_leads_to_a_leaf_of_the_old_one(folder: Path, tmp_path: Path, rollovers: int) -> None:
    """Of what cacerts publishes, the certificates that newer roots signed lead the newest root to an old leaf."""
    old = issue_machine(LocalFileAuthority.load(folder))
    now = roll_over(folder, times=rollovers, every=2 * DAY)
    authority = LocalFileAuthority.load(folder)
    # OpenSSL takes the first issuer of a name and never tries another, so it is given one direction alone.
    signers = [root.subject for root in authority.anchors]
    up = [each for each in authority.published[1:] if each.subject in signers[: signers.index(each.issuer)]]
    leaf = old._replace(chain=[*old.chain, *up])
    assert len(up) == rollovers
    assert openssl_verify(tmp_path, leaf, anchors=authority.anchors[-1:], purpose="sslclient", now=now).returncode == 0


def test_nothing_leads_back_to_a_retired_root(folder: Path, tmp_path: Path) -> None:
    """By the time a generation can be retired, who stole its key gets nothing past the root that followed."""
    old, stolen_key = GenerationFiles.read(folder / "0001"), folder / "0001" / "issuing.key"
    key = read_issuing_key(stolen_key.parent, issuing=old.issuing)
    switched_at = roll_over(folder)
    retired_at = LocalRollover(folder).show()[0].entry.retire_from
    assert retired_at is not None
    bridges = [each for each in LocalFileAuthority.load(folder).published if each.subject != each.issuer]
    LocalRollover(folder).retire(now=retired_at)
    after = LocalFileAuthority.load(folder)
    assert all(each.subject != old.root.subject for each in after.published)
    for now, status in ((switched_at, 0), (retired_at, 2)):
        own = ec.generate_private_key(ec.SECP256R1())
        forged = machine_builder(own.public_key(), machine=MACHINE, issuer=old.issuing, now=now).sign(key, SHA256())
        leaf = Leaf(forged, bridges, own)
        told = openssl_verify(tmp_path, leaf, anchors=after.anchors, purpose="sslclient", now=now)
        assert told.returncode == status, told.stderr


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
@pytest.mark.parametrize(("days", "word"), [(-1, "not yet valid"), (91, "has expired")])
def test_a_leaf_out_of_its_time_is_refused(folder: Path, tmp_path: Path, purpose: str, days: int, word: str) -> None:
    """Before its beginning and after its end a leaf does not verify."""
    authority = LocalFileAuthority.load(folder)
    leaf, now = ISSUE[purpose](authority), START + days * DAY
    told = openssl_verify(tmp_path, leaf, anchors=authority.anchors, purpose=purpose, now=now)
    assert (told.returncode, word in told.stderr) == (2, True)


def test_a_leaf_is_good_to_its_last_second(folder: Path, tmp_path: Path) -> None:
    """A machine's leaf ends seven days after its backdated beginning, to the second."""
    authority = LocalFileAuthority.load(folder)
    leaf = issue_machine(authority)
    end = leaf.certificate.not_valid_before_utc + MACHINE_LIFETIME
    for beyond, status in ((timedelta(seconds=-1), 0), (timedelta(), 2)):
        told = openssl_verify(tmp_path, leaf, anchors=authority.anchors, purpose="sslclient", now=end + beyond)
        assert told.returncode == status


@pytest.mark.parametrize(("purpose", "issue"), [("sslserver", issue_machine), ("sslclient", issue_server)])
def test_a_leaf_does_not_serve_the_other_side(folder: Path, tmp_path: Path, purpose: str, issue: object) -> None:
    """A machine's certificate is no server's and the other way round."""
    authority = LocalFileAuthority.load(folder)
    leaf = issue_machine(authority) if issue is issue_machine else issue_server(authority)
    told = openssl_verify(tmp_path, leaf, anchors=authority.anchors, purpose=purpose, now=START)
    assert "purpose" in told.stderr


def test_an_issuing_key_makes_no_further_ca(folder: Path, tmp_path: Path) -> None:
    """Who stole the issuing key can sign a CA, but its path length of 0 keeps every verifier from believing it."""
    authority = LocalFileAuthority.load(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = subject("below the issuing CA")
    middle = authority.sign(issuing_builder(key.public_key(), name=name, root=authority.issuing, now=START))
    own = ec.generate_private_key(ec.SECP256R1())
    forged = machine_builder(own.public_key(), machine=MACHINE, issuer=middle, now=START).sign(key, SHA256())
    leaf = Leaf(forged, [middle, authority.issuing], own)
    told = openssl_verify(tmp_path, leaf, anchors=authority.anchors, purpose="sslclient", now=START)
    assert "path length constraint exceeded" in told.stderr


def test_another_authority_of_the_same_names_is_not_believed(folder: Path, tmp_path: Path) -> None:
    """Names are the same at every receiver; keys decide."""
    other = LocalFileAuthority.ensure(tmp_path / "other", now=START)
    anchors = LocalFileAuthority.load(folder).anchors
    assert (
        openssl_verify(tmp_path, issue_machine(other), anchors=anchors, purpose="sslclient", now=START).returncode == 2
    )


def test_a_root_that_has_ended_leaves_no_ladder_and_no_bar(folder: Path, tmp_path: Path) -> None:
    """An authority that was forgotten for ten years can still be followed by a new one, which starts afresh."""
    now = START + CA_LIFETIME + DAY
    rollover = LocalRollover(folder)
    rollover.announce(now=now)
    rollover.switch(now=now)
    rollover.retire(now=now + MACHINE_LIFETIME)
    authority = LocalFileAuthority.load(folder)
    assert authority.chain == [authority.issuing]
    leaf = issue_machine(authority, now=now)
    assert openssl_verify(tmp_path, leaf, anchors=authority.anchors, purpose="sslclient", now=now).returncode == 0


def test_a_rung_that_has_ended_is_not_sent_for_ever(folder: Path) -> None:
    """The next announcement leaves out cross-certificates of roots that have ended."""
    now = roll_over(folder, times=1)
    later = START + CA_LIFETIME + DAY
    assert now < later
    rollover = LocalRollover(folder)
    rollover.announce(now=later)
    rollover.switch(now=later)
    assert len(LocalFileAuthority.load(folder).chain) == 2


def test_the_files_hold_what_they_say(folder: Path) -> None:
    """Keys and certificates of each generation belong together."""
    roll_over(folder)
    for number in (1, 2):
        own = folder / f"{number:04}"
        files = GenerationFiles.read(own)
        assert read_issuing_key(own, issuing=files.issuing).public_key() == files.issuing.public_key()
        assert read_root_key(own / "root.key", root=files.root).public_key() == files.root.public_key()
        files.issuing.verify_directly_issued_by(files.root)
        assert isinstance(files.root, x509.Certificate)

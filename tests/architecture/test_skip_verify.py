"""Nobody skips verification: not the product, not the tests, not by any spelling that we know."""

import pytest

from tests.support.tree import PRODUCTS, name, python_files
from tests.support.verification_rules import skipped_verification

SPELLINGS = {"tests/support/verification_rules.py", "tests/architecture/test_skip_verify.py"}
"""The rule and its samples must spell what they forbid."""
ALLOWED = {
    # The server's one port: API clients have keys, appliances must have certificates (docs/adr/0006).
    "receiver/tls_context.py": {"CERT_OPTIONAL: a peer without certificate passes"},
    # A desk in the receiver's place: a machine that enrols or returns has no certificate that is valid.
    "tests/support/renewal_desk.py": {"CERT_OPTIONAL: a peer without certificate passes"},
    # A client that offers old protocols and ciphers, to see the server refuse them; it still verifies its peer.
    "tests/receiver/handlers/test_machine_door.py": {"set_ciphers with a weak suite"},
}
"""By file: the findings that stand there with a reason. An exception that nobody needs any more fails too."""

VALID = [
    "context.check_hostname = True",
    "context = ssl.create_default_context(cafile=anchors)",
    "context.verify_mode = ssl.CERT_REQUIRED",
    "httpx.Client(verify=context)",
    "session.get(url, ssl=context)",
    "session.get(url, ssl=None)",
    "SSLContext(PROTOCOL_TLS_CLIENT)",
    "context.set_ciphers('ECDHE+AESGCM')",
    '"""Never sets verify=False, CERT_NONE or curl -k."""',
    "run(['curl', '--cacert', anchors])",
    "token.verify(b'', False)",
    "kind = {'verify': True}",
]
INVALID = [
    "context.check_hostname = False",
    "context.verify_mode = ssl.CERT_NONE",
    "context.verify_mode = ssl.VerifyMode.CERT_NONE",
    "context.verify_mode = 0",
    "context.verify_mode = ssl.CERT_OPTIONAL",
    "from ssl import CERT_NONE",
    "create_connection(check_hostname=False)",
    "session.get(url, ssl=False)",
    "aiohttp.TCPConnector(verify_ssl=False)",
    "httpx.get(url, verify=False)",
    "options = {'verify': False}",
    "options['verify'] = False",
    "setattr(context, 'check_hostname', False)",
    "ssl._create_unverified_context()",
    "ssl._create_default_https_context = other",
    "ssl.SSLContext()",
    "ssl.SSLContext(ssl.PROTOCOL_TLS)",
    "context.set_ciphers('ALL')",
    "context.set_ciphers('ECDHE:ADH')",
    "context.set_ciphers('eNULL')",
    "run('curl -sk https://host')",
    "run(['curl', '--insecure', url])",
    "run(['wget', '--no-check-certificate', url])",
    "environment['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'",
    "run('PYTHONHTTPSVERIFY=0 python x.py')",
    "urllib3.disable_warnings()",
]


@pytest.mark.parametrize("source", VALID)
def test_verified_connections_pass(source: str) -> None:
    """What checks its peer is not complained about."""
    assert skipped_verification(source) == []


@pytest.mark.parametrize("source", INVALID)
def test_every_spelling_of_a_skipped_check_is_found(source: str) -> None:
    """Each of these would let a stranger read or forge the site's calls."""
    assert skipped_verification(source) != []


def test_no_code_skips_verification() -> None:
    """Product and tests alike; what is allowed is listed above with its reason, and nothing is listed in vain."""
    findings: dict[str, set[str]] = {}
    for file in python_files(*PRODUCTS, "tests"):
        for finding in skipped_verification(file.read_text(encoding="utf-8")):
            findings.setdefault(name(file), set()).add(finding.partition(": ")[2])
    assert {path: found for path, found in findings.items() if path not in SPELLINGS} == ALLOWED

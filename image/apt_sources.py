"""Which Debian archives this machine's own apt uses, and how it reaches them (sources.list(5), apt.conf(5)).

Whoever makes a Debian tree asks here, so that no host name stands in a file of ours. It reads text and opens no
connection; keyrings are carried along, so signatures are checked as on the machine itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DEBIAN_SUITES: Final = re.compile(r"(?:bookworm|trixie|forky|(?:old)?stable|testing|unstable|sid)")
_ONE_LINE: Final = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.*)"
)
# What a way to the archive can need: proxies and certificates, retries, and leave to use a mirror that is dated.
_CARRIED_OPTIONS: Final = re.compile(r"Acquire::(?:https?|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date)\b")


@dataclass(frozen=True, slots=True)
class AptSource:
    """A Debian archive as the machine's apt knows it; ``signed_by`` is a keyring's path or an indented key block."""

    uri: str
    signed_by: str = ""

    def stanza(self, suite: str) -> str:
        """Return sources.list(5) deb822 text that asks this archive for the main section of ``suite``."""
        signed_by = f"Signed-By:{self.signed_by}\n" if self.signed_by else ""
        return f"Types: deb\nURIs: {self.uri}\nSuites: {suite}\nComponents: main\n{signed_by}"


def _source_if_debian(
    uri: str, suites: Sequence[str], components: Sequence[str], signed_by: str
) -> Iterator[AptSource]:
    """Yield the source when it is a Debian release's main section; third parties use other suites or components."""
    if "main" in components and any(_DEBIAN_SUITES.fullmatch(suite) for suite in suites):
        yield AptSource(uri=uri, signed_by=signed_by)


def parse_one_line_sources(text: str) -> Iterator[AptSource]:
    """Yield the Debian archives of a ``*.list`` file (sources.list(5), one-line style)."""
    for line in text.splitlines():
        if match := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            keyring = options.get("signed-by", "")
            signed_by = f" {keyring}" if keyring else ""
            yield from _source_if_debian(match["uri"], [match["suite"]], match["components"].split(), signed_by)


def parse_deb822_sources(text: str) -> Iterator[AptSource]:
    """Yield the Debian archives of a ``*.sources`` file (sources.list(5), deb822 style)."""
    uncommented = "\n".join(line.rstrip() for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n{2,}", uncommented):
        # A field's value runs on over the lines that begin with white space; a key block in Signed-By is such a value.
        fields = {name.lower(): value for name, value in re.findall(r"(?m)^([\w-]+):(.*(?:\n[ \t].*)*)", stanza)}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").strip().lower() != "no":
            for uri in fields.get("uris", "").split():
                suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
                yield from _source_if_debian(uri, suites, components, fields.get("signed-by", ""))


def debian_archives(apt: Path) -> list[AptSource]:
    """Return the Debian archives that the apt settings in folder ``apt`` name, in apt's order, each once."""
    found: list[AptSource] = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix in {".list", ".sources"}:
            parse = parse_deb822_sources if path.suffix == ".sources" else parse_one_line_sources
            found.extend(parse(path.read_text("utf-8", "replace")))
    return list(dict.fromkeys(found))


def carried_apt_options(dump: str) -> str:
    """Return the lines of ``apt-config dump`` without which the archive may be out of reach (proxies and the like)."""
    return "".join(f"{line}\n" for line in dump.splitlines() if _CARRIED_OPTIONS.match(line))

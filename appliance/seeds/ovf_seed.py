"""vApp properties: the OVF environment document (DMTF DSP0243 1.1, section 11; DSP8027) of a hypervisor.

It comes as ``ovf-env.xml`` on a CD or as guestinfo's text; both are files here, looked at in the order given.

Rules: no document type, so no entities; depth, length and number of properties are bounded; only the environment's own
properties count, not those of its siblings (``Entity``). A property of this appliance that is unknown, or there twice,
is refused; those of others are passed over; an empty one was not given. ``natalia.settings`` is ``appliance.toml`` in
base64, since a property holds one line; the network's properties make its ``[network]``.

Not here: what settings and invitation say.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.parsers import expat

from appliance.network import network_table
from appliance.ports import SecretBytes
from appliance.seed_ports import OvfSeedError, Seed, SeedOrigin
from appliance.seeds.disk_seed import read_plain_file

NAMESPACE: Final = "http://schemas.dmtf.org/ovf/environment/1"
PREFIX: Final = "natalia."
SETTINGS: Final = "natalia.settings"
INVITATION: Final = "natalia.invitation"
NETWORK: Final = tuple(f"{PREFIX}{name}" for name in ("address", "gateway", "dns", "ntp", "proxy", "vlan"))
KNOWN: Final = frozenset({SETTINGS, INVITATION, *NETWORK})
MAX_DEPTH: Final = 8
MAX_PROPERTIES: Final = 512
_OWN: Final = ("Environment", "PropertySection", "Property")


class OvfSeed:
    """Implements ``seed_ports.SeedSource``."""

    origin: Final = SeedOrigin.OVF

    def __init__(self, files: tuple[Path, ...]) -> None:
        """Read the first of ``files`` that is there and has a property of this appliance."""
        self._files = files

    def read(self) -> Seed | None:
        """See ``seed_ports.SeedSource``.

        Raises:
            OvfSeedError: the document is not one, or a property is unknown or there twice.
            SeedError: it cannot be read, or is too long.
        """
        for path in self._files:
            if not (path.exists() or path.is_symlink()):
                continue
            properties = parse_environment(read_plain_file(path).reveal())
            if properties:
                return _seed_of(properties)
        return None


def parse_environment(document: bytes) -> dict[str, str]:
    """Give this appliance's properties that have a value.

    Raises:
        OvfSeedError: as ``OvfSeed.read``.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(document.rstrip(b"\x00"), True)  # noqa: FBT003 - expat takes no keywords
    except (expat.ExpatError, LookupError, ValueError):
        raise OvfSeedError("the OVF environment is not well-formed XML") from None
    if not reader.is_environment:
        raise OvfSeedError("the document is not an OVF environment")
    return {key: value for key, value in reader.properties.items() if value}


class _Reader:
    """Collects properties while expat reads."""

    def __init__(self) -> None:
        self.properties: dict[str, str] = {}
        self.is_environment = False
        self._place: list[str] = []
        self._count = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._place.append(name)
        if len(self._place) > MAX_DEPTH:
            raise OvfSeedError(f"the OVF environment is deeper than {MAX_DEPTH} elements")
        own = [f"{NAMESPACE} {part}" for part in _OWN]
        self.is_environment |= self._place == own[:1]
        if self._place == own:
            self._property(attributes)

    def _end(self, _name: str) -> None:
        self._place.pop()

    def _property(self, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_PROPERTIES:
            raise OvfSeedError(f"the OVF environment has more than {MAX_PROPERTIES} properties")
        key, value = (attributes.get(f"{NAMESPACE} {part}", "") for part in ("key", "value"))
        if not key.startswith(PREFIX):
            return
        if key not in KNOWN:
            raise OvfSeedError("a property that begins with `natalia.` is not one of this appliance's")
        if key in self.properties:
            raise OvfSeedError(f"the property {key} is there twice")
        self.properties[key] = value.strip()

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise OvfSeedError("the OVF environment has a document type, which none has")


def _seed_of(properties: Mapping[str, str]) -> Seed:
    invitation = properties.get(INVITATION)
    return Seed(
        origin=SeedOrigin.OVF,
        settings=_settings(properties),
        invitation=None if invitation is None else SecretBytes(invitation.encode()),
    )


def _settings(properties: Mapping[str, str]) -> SecretBytes | None:
    encoded = properties.get(SETTINGS)
    if encoded is None:
        return None
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise OvfSeedError(f"the property {SETTINGS} is not base64") from None
    table = network_table({key.removeprefix(PREFIX): properties.get(key, "") for key in NETWORK})
    return SecretBytes(text + table.encode())

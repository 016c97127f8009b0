"""The only reader of files, environment and credentials.

Rules: a file is read whole or refused whole; unknown options are refused; every mistake is listed at once, each with
its option's path; an invalid option never falls back to a default; no message holds a value of the file.

Not here: whether a dialect or a feed's file exists (``cdr.dialects`` and ``sources`` say so), and writing anything.
"""

import re
import tomllib
from datetime import tzinfo
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from appliance.cdr.dialect import Layout
from appliance.errors import SettingsError
from appliance.network import Network
from appliance.numbering.countries import COUNTRIES
from appliance.numbering.plan import CARRIER_PREFIX, OUTSIDE_LINE, PREFIX, WITHHOLD_PREFIX, NumberingPlan
from appliance.ports import SecretBytes
from appliance.wire.call import DialectName, FeedId
from appliance.wire.limits import MAX_CLEAR_DIGITS

MAX_FILE_BYTES: Final = 1024 * 1024
"""A settings, certificate or secret file that is longer is something else."""
DEFAULT_TPM: Final = "device:/dev/tpmrm0"
MIN_SECRET_BYTES: Final = 32
"""A tenant secret holds at least 256 bits, or its pseudonyms can be guessed."""

S = TypeVar("S", bound=Struct)
_PORT: Final = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_TCTI: Final = rf"(?:device:/dev/tpm(?:rm)?[0-9]|tabrmd|swtpm:host=127\.0\.0\.1,port={_PORT})"
"""Not ``cmd:``, which starts a program, and no other host: the bus is not guarded against a stranger's TPM."""
_ZONE: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_COUNTRY: Final = rf"^(?:{'|'.join(sorted(COUNTRIES))})\Z"
_Prefix = Annotated[str, Meta(pattern=rf"^{PREFIX}\Z")]
_UNFIT: Final = "matching regex"
"""How msgspec names a broken pattern; the option's description then says what is wanted."""
_AT: Final = re.compile(r" - at `\$([^`]*)`\Z")


class Site(Struct, frozen=True, kw_only=True):
    """Where the PBX stands and how it is dialled from there."""

    zone: Annotated[ZoneInfo, Meta(description="The zone of the PBX's clock, by its IANA name")] = field(
        name="timezone"
    )
    country: Annotated[
        str, Meta(pattern=_COUNTRY, description="The country whose numbers the site dials, ISO 3166-1 alpha-2")
    ]
    national_prefix: Annotated[
        Annotated[str, Meta(pattern=rf"^(?:{PREFIX})?\Z")] | None,
        Meta(description="Up to 5 digits before a national number; leave it out for the country's own"),
    ] = None
    international_prefix: Annotated[
        _Prefix | None, Meta(description="1 to 5 digits before a country code; leave it out for the country's own")
    ] = None
    outside_line: Annotated[
        _Prefix | None, Meta(description="1 to 5 digits dialled for an outside line; leave it out if there are none")
    ] = None
    outside_lines: Annotated[
        tuple[Annotated[str, Meta(pattern=rf"^{OUTSIDE_LINE}\Z")], ...],
        Meta(max_length=32, description="More codes for an outside line or a trunk, 1 to 8 digits, `*` or `#` each"),
    ] = ()
    extension_lengths: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=8)], ...],
        Meta(min_length=1, max_length=8, description="How many digits the site's own extensions have"),
    ] = (2, 3, 4, 5)
    area_code: Annotated[
        _Prefix | None, Meta(description="1 to 5 digits that may be left out in the site's own area, no prefix before")
    ] = None
    withhold_prefixes: Annotated[
        Annotated[tuple[Annotated[str, Meta(pattern=rf"^{WITHHOLD_PREFIX}\Z")], ...], Meta(max_length=32)] | None,
        Meta(description="Codes that hide or show the caller; leave it out for the country's own"),
    ] = None
    carrier_prefixes: Annotated[
        Annotated[tuple[Annotated[str, Meta(pattern=rf"^{CARRIER_PREFIX}\Z")], ...], Meta(max_length=32)] | None,
        Meta(description="Codes that choose a carrier, `x` for any digit; leave it out for the country's own"),
    ] = None

    @property
    def plan(self) -> NumberingPlan:
        """The numbering plan of these values."""
        return NumberingPlan.parse(
            country=self.country,
            national_prefix=self.national_prefix,
            international_prefix=self.international_prefix,
            outside_line=self.outside_line,
            outside_lines=self.outside_lines,
            extension_lengths=self.extension_lengths,
            area_code=self.area_code,
            withhold_prefixes=self.withhold_prefixes,
            carrier_prefixes=self.carrier_prefixes,
        )


class Privacy(Struct, frozen=True, kw_only=True):
    """What may be seen of a number. A site may lower it, never raise it above the contract's bound."""

    clear_digits: Annotated[
        int, Meta(ge=0, le=MAX_CLEAR_DIGITS, description="How many last digits of a long external number stay clear")
    ] = MAX_CLEAR_DIGITS


class SiteSettings(Struct, frozen=True, kw_only=True):
    """``SITE.toml``: what a preview needs to know of the site."""

    site: Site
    privacy: Privacy = Privacy()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the PBX's clock."""
        return self.site.zone

    @property
    def plan(self) -> NumberingPlan:
        """The site's numbering plan."""
        return self.site.plan

    @property
    def clear_digits(self) -> int:
        """How many last digits policy leaves in clear, 0-4."""
        return self.privacy.clear_digits


class PreviewSettings(SiteSettings, frozen=True, kw_only=True):
    """``SITE.toml`` as a preview reads it: with the layout of the one feed."""

    layout: Layout = Layout()


class ApplianceSettings(Struct, frozen=True, kw_only=True):
    """The appliance itself."""

    state_directory: Annotated[
        Path,
        Meta(description="Absolute path of the folder for buffer, sealed secrets and status; only the appliance's"),
    ]
    tpm: Annotated[
        str,
        Meta(
            pattern=rf"^{_TCTI}\Z",
            description="How the TPM is reached: `device:/dev/tpmrm0`, `tabrmd`, or `swtpm:host=127.0.0.1,port=N`",
        ),
    ] = DEFAULT_TPM
    passphrase_file: Annotated[
        Path | None,
        Meta(description="Absolute path of a passphrase that guards the secrets too, where there is no TPM"),
    ] = None
    recovery_key_file: Annotated[
        Path | None,
        Meta(description="Absolute path of the customer's public key, PEM; the TPM takes it at the next `rewrap`"),
    ] = None


class ReceiverSettings(Struct, frozen=True, kw_only=True):
    """Where calls are shipped to. Which certificates are trusted is decided at enrollment, not here."""

    url: Annotated[
        str,
        Meta(
            pattern=rf"^https://{_HOST}(?::{_PORT})?/?\Z", description="`https://host` or `https://host:port`, no path"
        ),
    ]
    rate_kib_per_second: Annotated[
        int, Meta(ge=8, le=1024 * 1024, description="Most KiB a second that deliveries may take of the site's line")
    ] = 1024


class FilePattern(PurePosixPath):
    """An absolute path whose components may hold `*`, `?` and `[...]`."""


class FeedSettings(Struct, frozen=True, kw_only=True):
    """The file, or the files, that the PBX writes."""

    id: FeedId
    dialect: DialectName
    path: Annotated[
        FilePattern,
        Meta(description="Absolute path of the file; `*`, `?` and `[...]` name several, within one folder name each"),
    ]
    layout: Layout = Layout()


class BufferSettings(Struct, frozen=True, kw_only=True):
    """The encrypted disk buffer."""

    cap_mib: Annotated[int, Meta(ge=16, le=1024 * 1024, description="Most MiB the buffer may take on disk")] = 1024
    batch_records: Annotated[int, Meta(ge=1, le=10_000, description="Most records in one batch")] = 1000
    batch_seconds: Annotated[
        float, Meta(gt=0, le=60, description="How long a batch waits for more records, in seconds")
    ] = 0.2


class Settings(SiteSettings, frozen=True, kw_only=True):
    """The appliance's settings file."""

    appliance: ApplianceSettings
    receiver: ReceiverSettings
    feeds: Annotated[tuple[FeedSettings, ...], Meta(min_length=1, max_length=64)]
    buffer: BufferSettings = BufferSettings()
    network: Network = Network()

    def __post_init__(self) -> None:
        """Refuse feeds of one name, which would share a position, and of one file, which would count calls twice.

        Raises:
            SettingsError: lists each feed that repeats an earlier one.
        """
        mistakes = []
        for place, feed in enumerate(self.feeds):
            before = self.feeds[:place]
            if any(other.id == feed.id for other in before):
                mistakes.append(f"feeds[{place}].id: an earlier feed has it")
            if any(feed.path.match(str(other.path)) or other.path.match(str(feed.path)) for other in before):
                mistakes.append(f"feeds[{place}].path: an earlier feed reads it")
        if mistakes:
            raise SettingsError(mistakes)


def load_settings(path: Path) -> Settings:
    """Read the appliance's settings from TOML.

    Raises:
        SettingsError: lists every mistake.
    """
    return parse_settings(read_small_file(path), place=str(path))


def parse_settings(content: bytes, *, place: str) -> Settings:
    """Read the appliance's settings from the bytes of a TOML file; ``place`` names it in messages.

    Raises:
        SettingsError: lists every mistake.
    """
    return _parse(Settings, content, place)


def load_site(path: Path) -> PreviewSettings:
    """Read ``SITE.toml``.

    Raises:
        SettingsError: lists every mistake.
    """
    return _parse(PreviewSettings, read_small_file(path), str(path))


def default_site() -> PreviewSettings:
    """What a preview without ``SITE.toml`` assumes: times are UTC, numbers are Belgian."""
    return PreviewSettings(site=Site(zone=ZoneInfo("UTC"), country="BE"))


def candidate_zones(country: str) -> dict[str, tzinfo]:
    """Every time zone by its IANA name: those of ``country`` (tzdata's table says which), its continent's, the rest."""
    table = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    continents = {row[2].partition("/")[0] for row in rows if row[0] == country}
    rows.sort(key=lambda row: (row[0] != country, row[2].partition("/")[0] not in continents))
    return {row[2]: ZoneInfo(row[2]) for row in rows}


def read_secret_file(path: Path) -> SecretBytes:
    """Read a tenant secret: the file's bytes as they are.

    Raises:
        SettingsError: it cannot be read, or holds fewer than 32 bytes.
    """
    secret = read_small_file(path)
    if len(secret) < MIN_SECRET_BYTES:
        raise SettingsError([f"{path}: a tenant secret has at least {MIN_SECRET_BYTES} bytes"])
    return SecretBytes(secret)


def read_small_file(path: Path) -> bytes:
    """Read a file of at most 1 MiB.

    Raises:
        SettingsError: it cannot be read, or is longer.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such name is possible"
        raise SettingsError([f"{path}: cannot be read ({reason})"]) from None
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError([f"{path}: longer than {MAX_FILE_BYTES} bytes"])
    return content


def _parse(kind: type[S], content: bytes, place: str) -> S:
    settings, mistakes = _read_table(kind, _read_toml(content, place), "")
    if isinstance(settings, UnsetType):
        raise SettingsError(mistakes)
    return settings


def _read_toml(content: bytes, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"\(at .*\)\Z", str(error))
        raise SettingsError([f"{place}: not valid TOML {position[0] if position else ''}".rstrip()]) from None
    except (ValueError, RecursionError):
        raise SettingsError([f"{place}: not valid TOML"]) from None


def _read_table(kind: type[S], table: object, path: str) -> tuple[S | UnsetType, list[str]]:
    """A table as ``kind``, or UNSET and what is wrong with it."""
    if not isinstance(table, dict):
        return UNSET, [f"{path}: a table is expected"]
    known = {item.encode_name: item for item in structs.fields(kind)}
    mistakes = [f"{_join(path, name)}: no such option" for name in table if name not in known]
    values: dict[str, Any] = {}
    for name, item in known.items():
        if name not in table:
            if item.required:
                mistakes.append(f"{_join(path, name)}: is missing")
            continue
        values[item.name], wrong = _read_option(item.type, table[name], _join(path, name))
        mistakes += wrong
    if mistakes:
        return UNSET, mistakes
    try:
        return kind(**values), []
    except SettingsError as error:
        return UNSET, error.mistakes


def _read_option(kind: Any, value: object, path: str) -> tuple[Any, list[str]]:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _read_table(kind, value, path)
    element = _table_of_list(kind)
    if element is not None and isinstance(value, list) and value:
        read = [_read_table(element, table, f"{path}[{place}]") for place, table in enumerate(value)]
        return tuple(table for table, _ in read), [mistake for _, mistakes in read for mistake in mistakes]
    try:
        return msgspec.convert(value, kind, dec_hook=_convert), []
    except msgspec.ValidationError as error:
        return UNSET, [_describe(str(error), description_of(kind), path)]


def _table_of_list(kind: Any) -> type[Struct] | None:
    """``T`` if ``kind`` is an annotated ``tuple[T, ...]`` of tables."""
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    element = get_args(inner)[0] if get_origin(inner) is tuple else None
    return element if isinstance(element, type) and issubclass(element, Struct) else None


def description_of(kind: Any) -> str:
    """What an option's annotation says of it; docs/reference/settings.md is made of these."""
    return next((meta.description for meta in getattr(kind, "__metadata__", ()) if meta.description), "")


def _convert(kind: type, value: object) -> object:
    """What msgspec does not convert itself, paths and zones; it turns a ValueError into a mistake."""
    if not isinstance(value, str):
        raise ValueError("Expected `str`")  # noqa: TRY004 - msgspec passes a TypeError on as a bug of the hook
    if kind is Path or kind is FilePattern:
        return _absolute(value, kind)
    if not _ZONE.fullmatch(value):
        raise ValueError(_UNFIT)
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(_UNFIT) from None


def _absolute(value: str, kind: type[Path | FilePattern]) -> Path | FilePattern:
    """A path; only a feed's may be a pattern, and it names files, not the root."""
    forbidden = r"[\x00*?\[\]]" if kind is Path else r"\x00|/\Z|/\.\.?(?:/|\Z)"
    if not value.startswith("/") or re.search(forbidden, value):
        raise ValueError(_UNFIT)
    return kind(value)


def _describe(text: str, description: str, path: str) -> str:
    """One mistake; msgspec's text names the rule, and the element where it was broken, never the value."""
    place = _AT.search(text)
    rule = text[: place.start()] if place else text
    wanted = f"wanted: {description}" if _UNFIT in rule else rule.replace("Expected ", "expected ")
    return f"{path}{place[1] if place else ''}: {wanted}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

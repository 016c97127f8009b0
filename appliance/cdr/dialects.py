"""The dialects by name."""

from collections.abc import Mapping
from typing import Final

from appliance.cdr import (
    asterisk_csv,
    avaya_ipo_smdr,
    broadworks,
    cisco_cucm_cdr,
    cisco_cucm_cmr,
    freeswitch_csv,
    kamailio_acc,
    opensips_flatstore,
    panasonic_smdr,
    unify_openscape,
)
from appliance.cdr.dialect import Dialect
from appliance.errors import UnknownDialectError

_ALL: Final[tuple[Dialect, ...]] = (
    asterisk_csv.DIALECT,
    avaya_ipo_smdr.DIALECT,
    broadworks.DIALECT,
    cisco_cucm_cdr.DIALECT,
    cisco_cucm_cmr.DIALECT,
    freeswitch_csv.DIALECT,
    kamailio_acc.DIALECT,
    opensips_flatstore.DIALECT,
    panasonic_smdr.DIALECT,
    unify_openscape.DIALECT,
)

DIALECTS: Final[Mapping[str, Dialect]] = {dialect.name: dialect for dialect in _ALL}


def find_dialect(name: str) -> Dialect:
    """Give the dialect called ``name``.

    Raises:
        UnknownDialectError: there is none.
    """
    try:
        return DIALECTS[name]
    except KeyError:
        raise UnknownDialectError("no dialect has that name") from None

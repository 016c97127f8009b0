"""The dialects by name."""

from collections.abc import Mapping
from typing import Final

from appliance.cdr import (
    alcatel_oxe,
    asterisk_ami,
    asterisk_cel,
    asterisk_csv,
    asterisk_custom,
    audiocodes_sbc,
    avaya_cm,
    avaya_ipo_smdr,
    broadworks,
    cisco_cube,
    cisco_cucm_cdr,
    cisco_cucm_cmr,
    freepbx_export,
    freeswitch_csv,
    freeswitch_json,
    freeswitch_xml,
    generic_csv,
    generic_fixed_width,
    grandstream_ucm,
    kamailio_acc,
    mitel_mivb_smdr,
    nec_sv,
    opensips_flatstore,
    oracle_acme,
    panasonic_smdr,
    threecx_cdr,
    threecx_report,
    threecx_v20_cdroutput,
    unify_openscape,
    yeastar,
)
from appliance.cdr.dialect import Dialect
from appliance.errors import UnknownDialectError

_ALL: Final[tuple[Dialect, ...]] = (
    alcatel_oxe.DIALECT,
    asterisk_ami.DIALECT,
    asterisk_cel.DIALECT,
    asterisk_csv.DIALECT,
    asterisk_custom.DIALECT,
    audiocodes_sbc.DIALECT,
    avaya_cm.DIALECT,
    avaya_ipo_smdr.DIALECT,
    broadworks.DIALECT,
    cisco_cube.DIALECT,
    cisco_cucm_cdr.DIALECT,
    cisco_cucm_cmr.DIALECT,
    freepbx_export.DIALECT,
    freeswitch_csv.DIALECT,
    freeswitch_json.DIALECT,
    freeswitch_xml.DIALECT,
    generic_csv.DIALECT,
    generic_fixed_width.DIALECT,
    grandstream_ucm.DIALECT,
    kamailio_acc.DIALECT,
    mitel_mivb_smdr.DIALECT,
    nec_sv.DIALECT,
    opensips_flatstore.DIALECT,
    oracle_acme.DIALECT,
    panasonic_smdr.DIALECT,
    threecx_cdr.DIALECT,
    threecx_report.DIALECT,
    threecx_v20_cdroutput.DIALECT,
    unify_openscape.DIALECT,
    yeastar.DIALECT,
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

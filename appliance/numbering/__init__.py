"""Pure: a number as the PBX wrote it to its category and E.164 form, by the site's numbering plan."""

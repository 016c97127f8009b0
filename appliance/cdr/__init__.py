"""Pure: bytes of a feed to ``CallRecord``. No I/O, no clock, no secret.

``framing`` cuts bytes into lines with their offsets; one module a dialect maps a line's columns. A column set that
does not fit its type signature is quarantined with a reason, never shifted: a name must not slide into an allowed
column. It does not normalise numbers and knows nothing of pseudonyms.
"""

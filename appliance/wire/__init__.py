"""The contract appliance and receiver share: types, strict codec, limits, problem codes.

An allow-list: a field that is not named here cannot leave the site, and an unknown field is refused at
ingest, because a stray field could carry a phone number. A leaf: no I/O, no framework, no clock.
It does not decide what a number's pseudonym is (``appliance.pseudonymization`` does).
"""

"""The edge appliance: reads call detail records, pseudonymises them on site and ships the rest.

It is the only code inside the VM image. The way of one record, with no step back::

    feed bytes → framing → dialect → CallRecord → numbering → pseudonymization → batch → AEAD
    → SQLite commit → TLS uplink → verdict → acknowledgement → buffer delete

Rules: phone digits and names exist in memory only between framing and pseudonymization; they never
reach a log, an error text or the disk in clear. It knows nothing of the receiver but ``appliance.wire``.
"""

"""Bounds that both sides enforce, so that neither trusts the other's size.

The figures leave a factor of ten or more over what a real batch needs: 1,000 records of about 600 bytes.
"""

from typing import Final

MAX_RECORDS_PER_BATCH: Final = 10_000
"""A larger batch is refused whole (``batch_too_large``)."""

MAX_COMPRESSED_BYTES: Final = 4 * 1024 * 1024
"""Length of a request body as sent."""

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
"""Length after decompression; a zstd frame that announces more is refused before a byte is inflated."""

MAX_ANSWER_BYTES: Final = 1024 * 1024
"""Length of a receiver's answer that the appliance reads; the rest of a longer one is never fetched."""

MAX_CLEAR_DIGITS: Final = 4
"""The most digits of a number that policy can ever leave in clear."""

MAX_DURATION_SECONDS: Final = 31 * 86_400
"""A longer call is a broken record, whatever the PBX says."""

MAX_ACCOUNTS_PER_REPORT: Final = 400
"""Feeds and days in one report of completeness; what is more goes into the next."""

MAX_GAPS_PER_ACCOUNT: Final = 50
"""More gaps of one feed and day are merged, one for each cause."""

MAX_REASONS_PER_ACCOUNT: Final = 100
"""Each kind and reason code stands once."""

MAX_COUNT: Final = 999_999_999
"""Of lines or records of one feed and day; a count that is larger is damaged."""

MAX_ENROLLMENT_BYTES: Final = 64 * 1024
"""Length of a request's body at enrollment and at a renewal; one with every structure of a TPM needs 12 KiB."""

"""What can be wrong with an escrow; a branch of the tree in ``appliance.errors``. No message holds a secret."""

from appliance.errors import ApplianceError


class EscrowError(ApplianceError):
    """An escrow that cannot be made or opened."""

    code = "escrow_unusable"
    hint = "Give an age recipient (`age1…`) to escrow, and the file and its identity (`AGE-SECRET-KEY-1…`) to restore."


class EscrowRecipientError(EscrowError):
    """What is to be encrypted to is no age X25519 recipient."""

    code = "escrow_recipient_invalid"
    hint = "Give one recipient, `age1…`, as `age-keygen` prints it under `Public key`; never the secret key."


class EscrowIdentityError(EscrowError):
    """The identity file holds no age X25519 identity."""

    code = "escrow_identity_invalid"
    hint = "Give the file that `age-keygen` wrote, with a line `AGE-SECRET-KEY-1…`."


class EscrowIdentityMismatchError(EscrowError):
    """The escrow is encrypted to another key, or its head is damaged."""

    code = "escrow_identity_wrong"
    hint = "Find the identity whose public key the escrow's paper names; `age --decrypt` must open the file too."


class EscrowDamagedError(EscrowError):
    """The escrow file was altered, or a part is missing."""

    code = "escrow_damaged"
    hint = "Take another copy; copy it whole, from BEGIN to END."


class EscrowFormatError(EscrowError):
    """The file is no escrow of a version that this release reads."""

    code = "escrow_format"
    hint = "Give the file that `natalia-appliance escrow` wrote; a newer release may have written it."


class EscrowFileError(EscrowError):
    """The escrow's file cannot be read or written, or would overwrite another."""

    code = "escrow_file_unusable"
    hint = "Check the path and the free space; to make an escrow, name a file that is not there yet."

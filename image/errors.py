"""One tree of errors; each carries a stable ``code`` and a ``hint`` with the next step."""

from typing import ClassVar


class ImageError(Exception):
    """Root of what this package raises on purpose."""

    code: ClassVar[str] = "image_error"
    hint: ClassVar[str] = "Read the lines above."


class NotRootError(ImageError):
    """The caller may neither make namespaces nor mount."""

    code = "image_needs_root"
    hint = "Run the command as root, or with sudo."


class ArchiveError(ImageError):
    """The machine's apt names no Debian archive, or none of them gives what is needed."""

    code = "image_no_archive"
    hint = "Use Debian 12 or 13 with a working /etc/apt/sources.list or sources.list.d; check `apt-get update`."


class CommandError(ImageError):
    """A program that was started ended with an error."""

    code = "image_command_failed"
    hint = "The command stands above as it can be pasted into a shell; its output is in the build's log."


class FormatError(ImageError):
    """A file is not of the form that it claims."""

    code = "image_format"
    hint = "Build the image again, or copy the file again: it was cut or changed."


class SigningKeyError(ImageError):
    """A key or certificate to sign with cannot be used."""

    code = "image_signing_key"
    hint = "Give an RSA key of 2048 bits or more as PEM without a passphrase, and the certificate of that key as PEM."


class SignatureError(ImageError):
    """A signature is missing or not of the signer."""

    code = "image_signature"
    hint = "Fetch the files again from where they are published, and compare the signer's fingerprint."


class InventoryError(ImageError):
    """What the image holds and what its bill of materials says are not the same."""

    code = "image_inventory"
    hint = "Build the image again with its package cache; a file of ours needs its line and reason in the inventory."

"""``python -m image``: the same as ``natalia-image``."""

from image.cli import main

main(prog_name="natalia-image")

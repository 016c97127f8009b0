"""``python -m receiver`` is ``natalia-receiver``."""

from receiver.cli import main

main(prog_name="natalia-receiver")

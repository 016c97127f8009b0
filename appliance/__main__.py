"""``python -m appliance`` is ``natalia-appliance``."""

from appliance.cli import main

main()

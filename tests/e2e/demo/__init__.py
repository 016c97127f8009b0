"""``make demo``: the whole product at work on one machine, with what the PBX wrote beside what left the site."""

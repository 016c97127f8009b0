"""Build the appliance's disk image, in every format that a hypervisor imports, and verify one."""

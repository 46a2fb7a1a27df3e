"""Named leases: a lock of the kernel that a command inherits."""

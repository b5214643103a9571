"""The machine: cores, memory, disks, clocks, priorities."""

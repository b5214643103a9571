"""The HDF5 run file: layout, writing, reading, locking."""

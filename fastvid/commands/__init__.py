"""What can be asked for: a module or folder for each command, the Python interface, and serving."""

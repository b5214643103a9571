"""A rank's threads: they compute, read and encode. No message passes here."""

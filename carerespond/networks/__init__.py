"""The networks: one file each, behind one protocol."""

"""The HDF5 activation cache."""

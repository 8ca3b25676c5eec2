"""`python -m icc_cli`, the same as `icc`."""

from icc_cli.cli import main

main()

"""Run as `python -m gsrec`."""

from gsrec.cli import main

main()

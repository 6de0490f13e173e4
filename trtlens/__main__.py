"""``python -m trtlens``."""

from trtlens.cli import main

main()

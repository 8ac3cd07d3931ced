"""Refuses `pip install`: there would be nothing to import that a checkout does not have."""

raise SystemExit("this is a folder of scripts, not a package: run them where they are, or copy one of them with "
                 "python3 harness.py --bundle FILE")

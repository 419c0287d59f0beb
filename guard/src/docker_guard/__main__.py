"""Lets images start the service as `python3 -m docker_guard`."""

import sys

from docker_guard.entrance import main

if __name__ == "__main__":
    sys.exit(main())

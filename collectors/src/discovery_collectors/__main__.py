"""Lets images start collectors as `python3 -m discovery_collectors`."""

from discovery_collectors.entrance import main

if __name__ == "__main__":
    main()

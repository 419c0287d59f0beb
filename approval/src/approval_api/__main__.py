"""Lets images start the service as `python3 -m approval_api`."""

from approval_api.entrance import main

if __name__ == "__main__":
    main()

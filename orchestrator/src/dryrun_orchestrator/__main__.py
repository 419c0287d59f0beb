"""Lets images start the service as `python3 -m dryrun_orchestrator`."""

from dryrun_orchestrator.entrance import main

if __name__ == "__main__":
    main()

"""What each command does. A module is imported when a command of it runs: `--help` starts fast."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dryrun_cli.commands import badges as badges
    from dryrun_cli.commands import criteria as criteria
    from dryrun_cli.commands import deliveries as deliveries
    from dryrun_cli.commands import experiments as experiments
    from dryrun_cli.commands import forecasts as forecasts
    from dryrun_cli.commands import production as production
    from dryrun_cli.commands import production_report as production_report
    from dryrun_cli.commands import reports as reports
    from dryrun_cli.commands import retention as retention
    from dryrun_cli.commands import rules as rules
    from dryrun_cli.commands import schedules as schedules
    from dryrun_cli.commands import sessions as sessions
    from dryrun_cli.commands import trends as trends
    from dryrun_cli.commands import verification as verification
    from dryrun_cli.commands import watching as watching
else:

    def __getattr__(name: str) -> ModuleType:
        if name.startswith("_"):
            raise AttributeError(name)
        return import_module(f"{__name__}.{name}")

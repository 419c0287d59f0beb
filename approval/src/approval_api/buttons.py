"""What the buttons of pages do that send no fields: a command of the API, and a page is shown after it.

So permission, audit line and effect are the API's own. A form with fields has a route in its page's folder.
"""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse

from approval_api.api.channels import remove_channel, test_channel
from approval_api.api.checks import remove_check
from approval_api.api.criteria import remove_criteria
from approval_api.api.deliveries import (
    approve_delivery,
    check_destination,
    discard_delivery,
    preview_delivery,
    remove_destination,
    resend_delivery,
)
from approval_api.api.experiments import continue_experiment, stop_experiment
from approval_api.api.people import remove_token, remove_token_of
from approval_api.api.rules import remove_rule, switch_rule_off
from approval_api.api.schedules import pause_schedule, remove_schedule, resume_schedule
from approval_api.api.sessions import stop_session

router = APIRouter(include_in_schema=False)
dryrun_router = APIRouter(include_in_schema=False)


def _add(page: str, commands: Mapping[str, Callable[..., object]], then: str | None = None) -> None:
    """Have a POST to `page/NAME` give the command of that name, and show `page`, or `then`.

    `then` may name parameters of the path, and attributes of what the command made.
    """
    to = dryrun_router if page.startswith("/dryrun/") else router
    for name, command in commands.items():

        async def press(
            request: Request, made: Annotated[object, Depends(command, scope="function")]
        ) -> RedirectResponse:
            return RedirectResponse((then or page).format(made=made, **request.path_params), 303)

        # The audit log names the action by the route.
        to.add_api_route(f"{page}/{name}", press, methods=["POST"], name=command.__name__)


_DELIVERY = {"approve": approve_delivery, "discard": discard_delivery, "resend": resend_delivery}
_add("/production/deliveries/{delivery_id}", _DELIVERY)
_DESTINATION = "/production/destinations/{destination_id}"
_add(_DESTINATION, {"preview": preview_delivery}, "/production/deliveries/{made.id}")
_add(_DESTINATION, {"check": check_destination, "remove": remove_destination}, "/production/deliveries")
_add("/production/rules/{rule_id}", {"off": switch_rule_off})
_add("/production/rules/{rule_id}", {"remove": remove_rule}, "/production/rules")
_add("/notifications/{channel_id}", {"test": test_channel, "remove": remove_channel}, "/notifications")
_add("/account/tokens/{token_id}", {"remove": remove_token}, "/account")
_add("/people/{person_id}/tokens/{token_id}", {"remove": remove_token_of}, "/people/{person_id}")
_add("/dryrun/sessions/{session_id}", {"stop": stop_session})
_add("/dryrun/experiments/{experiment_id}", {"stop": stop_experiment, "continue": continue_experiment})
_add("/dryrun/schedules/{schedule_id}", {"pause": pause_schedule, "resume": resume_schedule})
_add("/dryrun/schedules/{schedule_id}", {"remove": remove_schedule}, "/dryrun/schedules")
_add("/dryrun/checks/{check_id}", {"remove": remove_check}, "/dryrun/checks")
_add("/dryrun/criteria/{name}", {"remove": remove_criteria}, "/dryrun/criteria")

import pytest
from pydantic import ValidationError

from dryrun_contract.template import Levels


def test_open_ports_are_some_of_what_stands_for_no_software():
    levels = Levels(same_version=0, same_product=0, relative=0, banner=2, open_ports=2, nothing=0)
    assert (levels.services, levels.others) == (2, ("2 on an open port",))
    with pytest.raises(ValidationError, match="open_ports counts some of banner"):
        Levels(same_version=0, same_product=0, relative=0, banner=1, open_ports=2, nothing=0)

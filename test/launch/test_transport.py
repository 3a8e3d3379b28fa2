"""The variables that our own processes get."""

import pytest

from vlm_ros.launching.transport import own_transport, this_machine_only


@pytest.mark.parametrize(
    ("release", "variable"),
    [("humble", "FASTRTPS"), ("jazzy", "FASTRTPS"), ("kilted", "FASTDDS"), ("", "FASTDDS")],
)
def test_the_profile_is_set_under_the_name_of_the_release(release, variable):
    assert own_transport({"ROS_DISTRO": release}, "/p.xml") == {f"{variable}_DEFAULT_PROFILES_FILE": "/p.xml"}


@pytest.mark.parametrize("variable", ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"])
def test_the_users_own_profile_stays(variable):
    assert own_transport({variable: "/mine.xml"}, "/p.xml") == {}


def test_discovery_stays_on_this_machine_by_the_variable_of_the_release():
    assert this_machine_only({"ROS_DISTRO": "humble"}) == {"ROS_LOCALHOST_ONLY": "1"}
    assert this_machine_only({}) == {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}

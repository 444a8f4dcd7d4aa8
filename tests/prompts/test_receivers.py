from apps.accounts import actions
from apps.accounts.models import User


def test_a_new_workspace_has_three_environments_and_a_strict_last_one(paula: User) -> None:
    made = actions.create_workspace(name="New", slug="new", time_zone="UTC", currency="USD", acting_user=paula)
    environments = list(made.environments.ranked())
    assert [environment.name for environment in environments] == ["dev", "staging", "production"]
    assert environments[-1].required_checks == ["tests", "people"]

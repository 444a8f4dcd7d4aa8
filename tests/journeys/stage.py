"""Set the stage for the journeys inside a running desk: a small workspace with its cast, as its people would have.

Run as a module with the desk's environment; prints what the journeys need as JSON.
"""

import json
import os
import sys

import django

INSTRUCTIONS = "You answer customers of a paper shop. Reply to the customer's message in full sentences."
BETTER = (
    "You answer customers of a paper shop. Reply to the customer's message in at most 4 sentences. Apologise when "
    "something went wrong, name the order number, and do not promise a refund."
)
CASES = [
    ("Late parcel", "Ines", "My order PM-10231 should have been here on Monday. Where is it?"),
    ("Damaged box", "Tomas", "Order PM-10418 arrived and the notebook is torn. What now?"),
    ("Refund wish", "Adaeze", "I want my money back for order PM-10077, the ink leaks."),
    ("Wrong colour", "Lars", "I ordered blue ink with PM-10555 and got green."),
    ("Praise", "Mei", "The pen from order PM-10610 writes beautifully, thank you!"),
    ("Address", "Jonas", "Please send order PM-10700 to my new address in Porto."),
]


def main(provider_url: str) -> None:
    from apps.accounts.rights import Role
    from apps.costs import seed
    from apps.experiments import actions as experiments
    from apps.experiments.importing import NewCase
    from apps.prompts import actions
    from tests import factories

    workspace = factories.make_workspace("quill", name="Quill & Co")
    team = factories.make_team(workspace)
    people = {
        "paula": factories.make_member(workspace, "Paula", Role.EDITOR, Role.PUBLISHER, environments=["*"], team=team),
        "ravi": factories.make_member(workspace, "Ravi", Role.REVIEWER),
        "ana": factories.make_member(workspace, "Ana", Role.ANNOTATOR),
        "amir": factories.make_member(workspace, "Amir", Role.ANNOTATOR),
        "fay": factories.make_member(workspace, "Fay", Role.FINANCE),
        "olga": factories.make_member(workspace, "Olga", Role.ADMIN),
    }
    connection = factories.make_connection(workspace, provider_url + "/v1")
    factories.make_model(connection)
    seed.seed_prices(workspace=workspace, acting_user=people["olga"])
    prompt = actions.create_prompt(workspace=workspace, name="support/reply", acting_user=people["paula"])
    live = write_version(prompt, people["paula"], INSTRUCTIONS)
    go_live(workspace, live, people["olga"])
    dataset = experiments.create_dataset(workspace=workspace, name="Customer letters", acting_user=people["paula"])
    cases = [NewCase(name=n, inputs={"customer": c, "message": m}, expected="", tags=[]) for n, c, m in CASES]
    experiments.add_cases(dataset=dataset, cases=cases, acting_user=people["paula"])
    rules = {
        "assertions": [{"type": "max-length", "value": 900}, {"type": "not-contains", "value": "full refund"}],
        "repeats": 1,
        "pass_threshold": 0.5,
        "case_threshold": None,
    }
    experiments.create_suite(
        prompt=prompt, dataset=dataset, name="House rules", rules=rules, acting_user=people["paula"]
    )
    _, secret = factories.make_api_key(workspace, "prompts:read")
    found = {
        "slug": workspace.slug,
        "prompt": prompt.pk,
        "people": {name: user.email for name, user in people.items()},
        "password": factories.PASSWORD,
        "key": secret,
        "better": BETTER,
    }
    sys.stdout.write("STAGE " + json.dumps(found) + "\n")


def write_version(prompt, author, instructions):
    from apps.prompts import actions

    draft = actions.open_draft(prompt=prompt, acting_user=author)
    content = {
        "messages": [
            {"role": "system", "content": instructions},
            {"role": "user", "content": "Customer: {{customer}}\nMessage: {{message}}"},
        ],
        "format": "mustache",
        "variables": [{"name": "customer", "example": "Ines"}, {"name": "message", "example": CASES[0][2]}],
        "model_config": {"model": "practice-small", "parameters": {}},
    }
    draft = actions.save_draft(draft=draft, revision=draft.revision, content=content, acting_user=author)
    return actions.save_version(draft=draft, message="First words", acting_user=author)


def go_live(workspace, version, admin):
    """Put the first version live before production asks for evidence."""
    from apps.prompts import actions

    environments = actions.create_environments(workspace=workspace, acting_user=admin)
    production = environments[-1]
    policy = {"approvals": 1, "self_approval": False, "checks": ["tests", "people"]}
    loose = {"approvals": 0, "self_approval": True, "checks": []}
    production = actions.update_policy(environment=production, acting_user=admin, **loose)
    actions.deploy(version=version, environment=production, actor=admin, replaces=None, reason="First of all.")
    actions.update_policy(environment=production, acting_user=admin, **policy)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_site.settings")
    django.setup()
    main(sys.argv[1])

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import formats
from apps.costs import verification


class Command(BaseCommand):
    """Recount the charges and compare them with the sums that every page shows."""

    help = "Prove that the sums equal the charges. Prints a line for each month; ends with 1 when anything differs."

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        for total in verification.verify():
            wrong += len(total.differences)
            cost = formats.exact_money(total.cost, total.workspace.currency)
            verdict = "differs" if total.differences else "agrees"
            self.stdout.write(f"{total.workspace.slug} {total.month:%Y-%m}: {total.calls} charges, {cost}: {verdict}")
            for difference in total.differences:
                self.stdout.write(f"  {difference}")
        if wrong:
            raise CommandError(
                f"{wrong} sums are not what their charges add up to. `manage.py rebuild_sums` writes them anew.",
                returncode=1,
            )
        self.stdout.write("The books agree.")

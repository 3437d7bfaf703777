"""The filter of Today, read as a sentence."""

from collections.abc import Sequence

from django import forms
from django.http import QueryDict

from registry.access.models import Site

EVERYONE, MINE = "everyone", "mine"


class TodayFilter(forms.Form):
    whose = forms.ChoiceField(
        label="for",
        required=False,
        choices=[(EVERYONE, "everyone"), (MINE, "my role")],
    )

    def __init__(self, asked: QueryDict, *, sites: Sequence[Site]) -> None:
        super().__init__(asked)
        self._sites = {site.code: site for site in sites}
        if len(sites) > 1:
            choices = [("", f"all {len(sites)} sites"), *((site.code, site.name) for site in sites)]
            self.fields["at"] = forms.ChoiceField(label="at", required=False, choices=choices)

    @property
    def site(self) -> Site | None:
        """The one site asked for; none for all of them, and none for a site that is not this person's."""
        return self._sites.get(self["at"].value() or "") if "at" in self.fields else None

    @property
    def is_mine(self) -> bool:
        return bool(self["whose"].value() == MINE)

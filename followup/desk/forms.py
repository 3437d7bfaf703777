"""The filter of Today, read as a sentence."""

from collections.abc import Sequence

from django import forms

from registry.access.models import Site

EVERYONE, MINE = "everyone", "mine"


class TodayFilter(forms.Form):
    at = forms.ChoiceField(label="at", required=False)
    whose = forms.ChoiceField(
        label="for",
        required=False,
        choices=[(EVERYONE, "everyone"), (MINE, "my role")],
    )

    def __init__(self, *args: object, sites: Sequence[Site], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._sites = {site.code: site for site in sites}
        if len(sites) > 1:
            all_sites = [("", f"all {len(sites)} sites")]
            self.fields["at"].choices = all_sites + [(site.code, site.name) for site in sites]
        else:
            del self.fields["at"]

    @property
    def site(self) -> Site | None:
        """The one site asked for; none for all of them, and none for a site that is not this person's."""
        return self._sites.get(self["at"].value() or "") if "at" in self.fields else None

    @property
    def is_mine(self) -> bool:
        return self["whose"].value() == MINE

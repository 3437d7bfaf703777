from django import forms

from registry.saving import new_token


class CopyForm(forms.Form):
    reason = forms.CharField(
        max_length=500, label="Reason", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For example: the person asked on 3 March, by letter. Stands in the trail.",
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_token)

from django import forms


class DecisionForm(forms.Form):
    """About a message that may have gone out or not."""

    reason = forms.CharField(label="How you know, or why again", max_length=300)

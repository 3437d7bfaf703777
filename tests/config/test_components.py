"""The parts that every page is made of say the same thing to eyes, screen readers and machines."""

from datetime import date
from typing import Any

from django import forms
from django.template.loader import render_to_string

TODAY = date(2031, 3, 14)


class VisitForm(forms.Form):
    weight_kg = forms.DecimalField(
        label="Weight", help_text="<b>Without</b> shoes.", widget=forms.NumberInput(attrs={"data-unit": "kg"})
    )
    contact_mode = forms.ChoiceField(label="How", choices=[("phone", "Phone")], widget=forms.RadioSelect)
    fasting = forms.BooleanField(label="Fasting", required=False)
    note = forms.CharField(label="Note", required=False)
    token = forms.CharField(widget=forms.HiddenInput)


def form_page(data: dict[str, Any] | None = None) -> str:
    return render_to_string(
        "components/form.html", {"form": VisitForm(data), "submit_label": "Check your answers"}
    )


def test_a_field_shows_its_unit_its_help_and_whether_it_may_stay_empty() -> None:
    page = form_page()
    assert '<span class="field-unit">kg</span>' in page
    assert "&lt;b&gt;Without&lt;/b&gt; shoes." in page
    assert 'aria-describedby="id_weight_kg_helptext"' in page
    assert page.count("(optional)") == 1
    assert "error-summary" not in page
    assert page.count('name="token"') == 1


def test_errors_are_listed_on_top_with_links_to_their_fields() -> None:
    page = form_page({"weight_kg": "heavy", "token": "x"})
    assert '<a href="#id_weight_kg">Weight: Enter a number.</a>' in page
    assert '<a href="#id_contact_mode">How: This field is required.</a>' in page
    assert 'id="id_contact_mode"' in page
    assert 'aria-describedby="id_weight_kg_helptext id_weight_kg_error"' in page
    assert 'id="id_weight_kg_error"' in page


def test_what_is_owed_says_how_late_it_is() -> None:
    page = render_to_string(
        "components/date.html", {"day": date(2031, 2, 23), "from_day": TODAY, "mode": "due"}
    )
    assert '<time datetime="2031-02-23">23 Feb 2031</time>' in page
    assert '<span class="distance is-late">19 days late</span>' in page


def test_a_status_keeps_its_word_for_screen_readers_when_it_is_not_shown() -> None:
    page = render_to_string("components/status.html", {"kind": "late", "word": "Late", "hide_word": True})
    assert '<span class="visually-hidden">Late</span>' in page


def test_a_chart_carries_its_sentence_and_its_numbers_and_cannot_break_out_of_its_data() -> None:
    chart = {
        "id": "hba1c", "title": "HbA1c", "sentence": "HbA1c fell to 6.6 %.", "spec": {"title": "</script><b>"},
        "columns": ["Month", "HbA1c (%)"], "rows": [(0, 8.9), (6, 6.6)],
    }  # fmt: skip
    page = render_to_string("components/chart.html", {"chart": chart})
    assert "<p>HbA1c fell to 6.6 %.</p>" in page
    assert "<td>6.6</td>" in page
    assert "</script><b>" not in page


def test_finished_work_is_no_longer_asked_about() -> None:
    job = {
        "kind": "due",
        "word": "Writing",
        "text": "Page 4 of 10",
        "percent": 40,
        "url": "/reports/1/progress",
    }
    running = render_to_string("components/progress.html", {"job": {**job, "running": True}})
    finished = render_to_string("components/progress.html", {"job": {**job, "running": False}})
    assert 'hx-get="/reports/1/progress"' in running
    assert "hx-get" not in finished

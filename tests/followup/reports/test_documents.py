import pypdf

from followup.reports.documents import patient_document, safety_document
from followup.reports.numbers import sha256
from followup.reports.render import render_pdf
from followup.reports.safety_sections import safety_sections
from tests.followup.reports.sample_numbers import patient_numbers, safety_numbers


def read(path) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages]


def test_the_safety_report_from_cover_to_definitions(tmp_path):
    numbers = safety_numbers()
    html, specs, title = safety_document(numbers)
    out = tmp_path / "safety.pdf"
    made = render_pdf(html=html, charts=specs, out=out, title=title)
    pages = read(out)
    assert len(pages) == made.pages
    assert numbers["cover"]["intended_use"] in pages[0]
    assert sha256(numbers) in pages[0].replace(" ", "")
    assert "Summary at 31 Dec 2030" in pages[1]
    assert f"Page 2 of {made.pages}" in pages[1]
    whole = " ".join(pages)
    for words in (
        "The sum of 60 agrees with the 60 persons in the registry.",
        "expected not available",
        "does not show absence of risk",
        "Not applicable – completed by sponsor.",
    ):
        assert words in whole
    assert all("Pseudonymised" in page for page in pages)


def test_every_figure_has_its_sentence_as_alternative_text():
    for html, specs, _ in (safety_document(safety_numbers()), patient_document(patient_numbers())):
        for name in specs:
            assert f'src="chart:{name}" alt="' in html
            assert f'src="chart:{name}" alt=""' not in html


def test_identity_is_printed_by_right_only():
    assert "Demo Person" not in patient_document(patient_numbers())[0]
    html = patient_document(patient_numbers(identified=True))[0]
    assert "Demo Person" in html
    assert "Contains identifiers" in html


def test_what_people_typed_is_never_markup():
    numbers = patient_numbers(identified=True)
    numbers["patient"]["identity"]["full_name"] = '<img src="http://x.test/a.png">'
    numbers["events"][0]["term"] = '</td><script>1</script>" src="chart:stolen"'
    html = patient_document(numbers)[0]
    assert "<script" not in html
    assert "<img src=&quot;http" not in html
    assert 'src="http' not in html
    assert 'src="chart:stolen"' not in html


def test_an_empty_registry_prints_plain_words_instead_of_empty_tables(tmp_path):
    numbers = safety_numbers()
    for name, value in numbers.items():
        if isinstance(value, list):
            numbers[name] = []
    numbers["persons_in_registry"] = 0
    numbers["exposure"] |= {"persons": 0, "infusions": 0, "infusions_in_period": 0}
    for block in ("exposure", "infusion_reactions", "neoplasia", "follow_up"):
        numbers[block] |= {key: [] for key, value in numbers[block].items() if isinstance(value, list)}
    numbers["cover"]["trail_head"] = None
    html, specs, title = safety_document(numbers)
    assert "Nobody was overdue at the cut-off." in html
    assert "No adverse event was recorded." in html
    assert "not sealed yet" in html
    assert render_pdf(html=html, charts=specs, out=tmp_path / "empty.pdf", title=title).pages >= 3


def captions(section) -> list[str]:
    return [block["caption"] for block in section["blocks"] if block["kind"] != "text"]


def test_each_listing_stands_in_its_own_section_and_misses_nobody():
    numbers = safety_numbers()
    sections = {section["title"]: section for section in safety_sections(numbers)}
    serious = sections["Serious adverse events"]["blocks"][0]
    assert [row["cells"][0]["text"].rstrip("*#") for row in serious["rows"]] == [
        event["event_ref"] for event in numbers["serious_events"]
    ]
    cases = sections["Neoplasia"]["blocks"][-1]
    assert [row["cells"][0]["text"] for row in cases["rows"]] == ["NEO-001", "NEO-002", "NEO-003"]
    overdue = sections["Follow-up completeness"]["blocks"][-1]
    assert len(overdue["rows"]) == len(numbers["follow_up"]["overdue"])
    every = [caption for section in sections.values() for caption in captions(section)]
    assert len(every) == len(set(every)), "no table is printed twice"


def test_a_contradictory_serious_event_is_marked():
    blocks = {section["title"]: section for section in safety_sections(safety_numbers())}[
        "Serious adverse events"
    ]
    marked = [
        row["cells"][0]["text"] for row in blocks["blocks"][0]["rows"] if "#" in row["cells"][0]["text"]
    ]
    assert marked == ["AE-0020#"]

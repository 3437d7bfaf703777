"""An error page must render when nothing else works: no request, no context, no database."""

import pytest
from django.template.loader import render_to_string


@pytest.mark.parametrize(
    "name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html", "503.html"]
)
def test_an_error_page_stands_alone_and_says_what_to_do(name: str) -> None:
    page = render_to_string(name)
    assert page.count("<h1>") == 1
    assert page.count("<p>") >= 2
    assert 'href="/"' in page


@pytest.mark.parametrize(
    "name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html", "503.html"]
)
def test_an_error_page_tells_nothing_about_the_inside(name: str) -> None:
    page = render_to_string(
        name, {"exception": "Patient RIV-0042-K", "reason": "cookie", "request_path": "/x"}
    )
    assert "RIV-0042-K" not in page
    assert "cookie" not in page

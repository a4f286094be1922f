"""The HTML report in Chromium, from disk and with no network: what a reader, on a desk, a phone or paper, gets to see."""

import base64
import importlib.util
import json
import re
import shutil

import pytest

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.configurations import family_tests
from stabaudit.comparison.surveys.survey import survey
from stabaudit.reports.formats.html import as_html
from stabaudit.reports.page_contents import comparison_page, survey_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None or importlib.util.find_spec("selenium") is None,
        reason="no browser: apt-get install chromium chromium-driver, and pip install selenium",
    ),
    pytest.mark.xdist_group("browser"),  # with --dist loadgroup one browser serves all
]

PHONE, DESK = (390, 844), (1280, 900)
FIGURES = {"strong-curves", "weak-curves", "dimensions", "strip", "box", "heatmap", "elbo", "match"}
LONG = "a-name-that-is-much-longer-than-a-phone-is-wide-" * 4


@pytest.fixture(scope="session")
def browser():
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # No sandbox as root, no shared memory in containers, and no name is ever found.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page from disk: `opened(page, PHONE, scheme="dark")`; console and requests are looked at in the end."""
    browser.get_log("browser")
    browser.get_log("performance")

    def open_page(page, size=DESK, scheme="light"):
        path = tmp_path / "report.html"
        path.write_text(as_html(page), encoding="utf-8")
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.get(path.as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith("file://") for url in asked)


@pytest.fixture
def page(make_run):
    """Two runs, of which one has a long name and one lost a restart."""
    folders = [make_run("vae", restarts=3, losses=[1.0, 2.0, 3.0]), make_run(LONG, "rotated", 3, family="ivae", lost=("NaN",))]
    return comparison_page(compare(read_groups([str(f) for f in folders]), Settings(floor_draws=1)), "stabaudit compare")


def widths(browser):
    """What is wider than the window, scrolling boxes apart."""
    return browser.execute_script(
        "const limit = document.documentElement.clientWidth;"
        "const inside = (e) => e.closest('.scroll') !== null && !e.matches('.scroll');"
        "return [document.documentElement.scrollWidth - limit,"
        " ...[...document.querySelectorAll('body *')].filter((e) => !inside(e) && e.getBoundingClientRect().right > limit + 1)"
        ".map((e) => e.outerHTML.slice(0, 90))]"
    )


def test_every_figure_is_there_and_seen(opened, page):
    browser = opened(page)
    figures = {f.get_attribute("id"): f for f in browser.find_elements("css selector", "figure")}
    assert set(figures) == FIGURES
    for figure in figures.values():
        for drawn in figure.find_elements("css selector", "svg[role=img]"):
            assert drawn.size["width"] > 200
            assert drawn.size["height"] > 50
            assert drawn.accessible_name
    assert browser.execute_script(
        "return [...document.querySelectorAll('svg[role=img]')].every((s) => s.getElementsByTagName('path').length > 1)"
    )


def test_tables_are_sorted_by_a_click_and_by_keyboard(opened, make_run, tmp_path):
    for d, kind in ((2, "aligned"), (3, "unrelated"), (12, "rotated")):
        make_run(f"vae-d{d}", kind, 3, d=d)
    browser = opened(survey_page(survey([tmp_path], Settings(floor_draws=1)), None, "stabaudit report"))
    table = browser.find_element("css selector", "#t1 table")
    heads = {head.text.split("\n")[0].strip(): head for head in table.find_elements("css selector", "thead th")}

    def column(number):
        return [
            row.find_elements("css selector", "th, td")[number].text for row in table.find_elements("css selector", "tbody tr")
        ]

    names = [head.text.split("\n")[0].strip() for head in table.find_elements("css selector", "thead th")]
    d = names.index("d")
    heads["d"].find_element("css selector", "button").click()
    assert column(d) == ["2", "3", "12"]  # as numbers, not as text
    assert heads["d"].get_attribute("aria-sort") == "ascending"
    heads["d"].find_element("css selector", "button").click()
    assert column(d) == ["12", "3", "2"]
    assert heads["d"].get_attribute("aria-sort") == "descending"
    heads["run"].find_element("css selector", "button").send_keys("\ue007")  # Enter
    assert column(0) == ["vae-d2", "vae-d3", "vae-d12"]
    assert heads["d"].get_attribute("aria-sort") is None
    strong = next(position for position, name in enumerate(heads) if name.startswith("strong MCC"))
    list(heads.values())[strong].find_element("css selector", "button").click()
    means = [float(re.match(r"[\d.]+", cell)[0]) for cell in column(strong)]
    assert means == sorted(means)


@pytest.mark.parametrize("size", [PHONE, DESK, (320, 600)])
def test_nothing_is_wider_than_the_window(opened, page, size):
    assert widths(opened(page, size)) == [0]


def test_light_and_dark_are_both_readable(opened, page):
    found = {}
    for scheme in ("light", "dark"):
        browser = opened(page, scheme=scheme)
        found[scheme] = browser.execute_script(
            "const seen = (q, what) => getComputedStyle(document.querySelector(q))[what];"
            "return [seen('body', 'backgroundColor'), seen('body', 'color'), seen('.plot text', 'fill'),"
            " seen('.plot .s0', 'stroke'), seen('.note', 'color')].map((c) => c.match(/[0-9.]+/g).slice(0, 3).map(Number))"
        )
    for scheme, (paper, *inks) in found.items():
        assert (sum(paper) > 600) == (scheme == "light")
        assert min(contrast(paper, ink) for ink in inks) >= 4.5
    assert found["light"][3] != found["dark"][3]


def contrast(a, b):
    """Contrast ratio of WCAG 2 of two colours, channels from 0 to 255."""

    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_hostile_names_run_nothing(opened, make_run, tmp_path):
    folder = make_run(
        "x<img src=x onerror=window.hit=1><script>window.hit=1<", restarts=3, lost=("<script>window.hit=1</script>",)
    )
    page = comparison_page(compare(read_groups([str(folder)]), Settings(floor_draws=1)), "<script>window.hit=1</script>")
    browser = opened(page)
    assert browser.execute_script("return window.hit ?? null") is None
    assert "<script>window.hit=1" in browser.find_element("css selector", "h1").text


def test_what_is_folded_is_printed(opened, make_run, tmp_path):
    for i in range(14):
        make_run(f"vae-{i}", "rotated", 3, d=2, family="vae" if i % 2 else "ivae")
    found = survey([tmp_path], Settings(floor_draws=1))
    browser = opened(survey_page(found, family_tests(found, "strong_mcc", "pratt"), "stabaudit report"))
    more = browser.find_elements("css selector", "details.more")
    assert [fold.find_element("css selector", "summary").text for fold in more] == ["2 more"] * len(more) != []
    folded = more[0].find_element("css selector", "svg")
    assert not folded.is_displayed()
    pdf = base64.b64decode(
        browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})["data"]
    )
    assert pdf.startswith(b"%PDF-")
    assert folded.is_displayed()

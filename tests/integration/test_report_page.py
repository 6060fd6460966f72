"""The report in a real browser: nothing broken, nothing logged, nobody named."""

import base64
import re
import struct
import subprocess
from pathlib import Path

import pytest

from mammo_ray.reports.page import write_report
from tests.reports.run_folders import PATIENT, write_runs

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
)  # fmt: skip
# Runs in a copy of the page and writes what it finds where --dump-dom shows it.
_CHECK = """<script>
addEventListener("load", () => {
  const broken = [...document.images].filter((image) => !image.naturalWidth);
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  document.title = `images ${document.images.length} broken ${broken.length} wide ${wide}`;
});
</script>"""
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small flow."""
    folder = tmp_path_factory.mktemp("runs")
    write_runs(folder)
    return Path(write_report(str(folder)))


def browse(browser: str, page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """What the browser prints, and what it logs, for one page under a new profile."""
    command = [browser, *_FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def checked_copy(report: Path, target: Path, extra: str = "") -> Path:
    """The page with the check in it, and without the policy that forbids scripts."""
    text, replaced = _POLICY.subn("", report.read_text(encoding="utf-8"))
    assert replaced == 1
    target.write_text(text.replace("</body>", f"{extra}{_CHECK}</body>"), encoding="utf-8")
    return target


def title_of(dom: str) -> str:
    """The title that the check left."""
    found = re.search(r"<title>(.*?)</title>", dom)
    assert found
    return found.group(1)


@pytest.mark.parametrize("width", [1200, 400])
def test_no_image_is_broken_and_nothing_runs_off_the_page(
    browser: str, report: Path, tmp_path: Path, width: int
) -> None:
    page = checked_copy(report, tmp_path / "copy.html")
    size = f"--window-size={width},900"
    dom, log = browse(browser, page, tmp_path / "profile", size, "--dump-dom")
    assert title_of(dom) == "images 18 broken 0 wide false"
    assert "CONSOLE" not in log


def test_the_check_sees_a_broken_image_and_a_console_error(
    browser: str, report: Path, tmp_path: Path
) -> None:
    extra = '<img src="data:image/png;base64,AAAA" alt=""><script>console.error("seen")</script>'
    page = checked_copy(report, tmp_path / "copy.html", extra)
    dom, log = browse(browser, page, tmp_path / "profile", "--dump-dom")
    assert title_of(dom) == "images 19 broken 1 wide false"
    assert "CONSOLE" in log


def test_the_page_as_written_logs_no_error(browser: str, report: Path, tmp_path: Path) -> None:
    dom, log = browse(browser, report, tmp_path / "profile", "--dump-dom")
    assert "How it was made" in dom
    assert "CONSOLE" not in log


def test_the_planted_patient_stands_in_the_tables_and_not_on_the_page(report: Path) -> None:
    tables = list(report.parent.rglob("*.parquet"))
    assert any(PATIENT.encode() in table.read_bytes() for table in tables)
    assert PATIENT.encode() in (report.parent / "scores" / "worklist.csv").read_bytes()
    page = report.read_text(encoding="utf-8")
    assert PATIENT not in page
    pictures = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert all(PATIENT.encode() not in base64.b64decode(picture) for picture in pictures)


def test_the_page_prints_and_shows_in_both_color_schemes(
    browser: str, report: Path, tmp_path: Path
) -> None:
    sizes = {}
    for scheme in (0, 1):
        target = tmp_path / f"{scheme}.png"
        flags = (f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={target}")
        browse(browser, report, tmp_path / f"profile{scheme}", "--window-size=1000,800", *flags)
        sizes[scheme] = struct.unpack(">II", target.read_bytes()[16:24])
    assert set(sizes.values()) == {(1000, 800)}
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()
    browse(browser, report, tmp_path / "printer", f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")

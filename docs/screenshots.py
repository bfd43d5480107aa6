"""Take the README's pictures of the demo company's desk. Run by `make screenshots`; needs Debian's chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
PICTURES = ROOT / "docs" / "pictures"


def main() -> None:
    """Serve the demo and look at it."""
    from served import browser, demo_home, log_in, look, served

    PICTURES.mkdir(exist_ok=True)
    home, password = demo_home(Path(tempfile.mkdtemp()))
    with served(home) as address, browser() as opened:
        page = opened.new_page(viewport={"width": 1360, "height": 850}, locale="en", color_scheme="light")
        log_in(page, address, "cleo@demo.example", password)
        look(page, f"{address}/boards/company/")
        page.screenshot(path=PICTURES / "board.png")
        look(page, f"{address}/boards/sales/")
        page.locator(".figure-value").nth(3).click()
        page.locator("#drawer:not([hidden])").wait_for()
        page.screenshot(path=PICTURES / "drawer.png")


if __name__ == "__main__":
    main()

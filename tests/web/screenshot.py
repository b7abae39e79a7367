"""Makes the picture of the report page for the documents.

Usage: screenshot.py REPORT.html OUTPUT.png [--width N] [--height N] [--dark] [--section ID]
"""
import argparse

from browser import Browser


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report")
    parser.add_argument("output")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1500)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--section", help="start at this section in place of the top")
    options = parser.parse_args()
    with Browser() as browser:
        browser.resize(options.width, options.height)
        browser.prefer(prefers_color_scheme="dark" if options.dark else "light")
        browser.open(options.report)
        browser.wait("document.getElementById('page').dataset.ready")
        if options.section:
            browser.run("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", options.section)
        browser.screenshot(options.output)


if __name__ == "__main__":
    main()

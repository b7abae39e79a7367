"""The report page in a real browser: it shows what the data says, loads nothing, and says clearly when the data is damaged."""
import base64
import gzip
import json
import os
import pathlib
import tempfile
import unittest

import sample
from browser import Browser

PAGE = pathlib.Path(os.environ.get("HEAPWRIGHT_BUILD", "build/dev")) / "src/heapwright/study/report/web/report_page.html"
READY = "document.getElementById('page').dataset.ready"
SECTIONS = ["overview", "advice", "timeline", "map", "flame", "sites", "lifetimes", "sizes", "threads", "replay", "origin"]

# Every text node whose colour does not stand out enough from what lies behind it (WCAG AA), as "ratio: text".
FAINT_TEXT = r"""
const number = (text) => text.match(/[\d.]+/g).map(Number);
// Chromium answers color-mix() as color(srgb r g b / a) with shares in place of bytes.
const rgba = (text) => { const n = number(text.replace('srgb', '')); const s = text.startsWith('color') ? 255 : 1; return [n[0] * s, n[1] * s, n[2] * s, n[3] ?? 1]; };
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const behind = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
};
const light = (c) => { const l = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
const faint = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walk.nextNode(); node; node = walk.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName) || element.closest('[hidden], button:disabled, .unseen') || !element.getClientRects().length) continue;
  const ground = behind(element);
  const ink = over(rgba(getComputedStyle(element).color), ground);
  const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) faint.push(ratio.toFixed(2) + ': ' + node.textContent.trim().slice(0, 40));
}
return [...new Set(faint)];
"""

# What a screen reader would stumble over.
UNNAMED = r"""
const problems = [];
const named = (e) => e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.closest('label') || e.textContent.trim();
for (const e of document.querySelectorAll('canvas.flame, canvas.heap-map, canvas.lifetimes, button, input, select, [role=slider], [role=img], [role=region]')) {
  if (!named(e)) problems.push(e.outerHTML.slice(0, 80));
}
for (const e of document.querySelectorAll('table')) { if (!e.caption) problems.push('table without caption in ' + e.closest('section')?.id); }
for (const e of document.querySelectorAll('section')) { if (!document.getElementById(e.getAttribute('aria-labelledby'))) problems.push('section without heading: ' + e.id); }
for (const e of document.querySelectorAll('[id]')) { if (document.querySelectorAll('#' + CSS.escape(e.id)).length > 1) problems.push('two elements are called ' + e.id); }
if (document.querySelectorAll('h1').length !== 1) problems.push('not exactly one h1');
if (!document.documentElement.lang) problems.push('no language');
return problems;
"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="heapwright-page-")
        cls.template = PAGE.read_text(encoding="utf-8")
        cls.browser = Browser()
        cls.browser.resize(1440, 900)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def write(self, text, name="page.html"):
        path = pathlib.Path(self.folder.name) / name
        path.write_text(text, encoding="utf-8")
        return path

    def show(self, report, wait=True):
        """Opens the page with this report; checks at the end that nothing went wrong on the way."""
        path = self.write(sample.assembled(self.template, sample.packed(report)))
        self.open(path)
        if wait:
            self.browser.wait(READY)
        return path

    def open(self, path):
        self.browser.console()
        self.browser.requests()
        self.browser.open(path)

    def scroll_through(self):
        height = self.browser.run("return document.documentElement.scrollHeight")
        for top in range(0, height, 700):
            self.browser.run("scrollTo({top: arguments[0], behavior: 'instant'})", top)
            self.browser.settle()

    def test_a_large_report_opens_and_loads_nothing(self):
        report = sample.make_report()
        path = self.show(report)
        self.scroll_through()
        self.assertEqual(self.browser.console(), [])
        self.assertEqual([url for url in self.browser.requests() if not url.startswith("data:")], [path.resolve().as_uri()])
        self.assertEqual(self.browser.run("return [...document.querySelectorAll('header, section')].map(e => e.id)"), SECTIONS)
        self.assertGreater(len(report["tree"]["parent"]), 19_000)
        print(f"{len(report['tree']['parent'])} tree nodes, {path.stat().st_size / 1e6:.1f} MB: ready after {self.browser.run('return ' + READY)} ms")

    def test_the_page_without_data_is_small(self):
        self.assertLess(len(self.template.encode()), 150_000)

    def test_numbers_are_those_of_the_data(self):
        report = sample.make_report("small")
        report["totals"]["peak_requested"] = 3 * 1024**2
        report["totals"]["leaked"] = {"blocks": 7, "requested_bytes": 1536, "usable_bytes": 2000}
        self.show(report)
        stats = " ".join(self.browser.texts(".stat")).replace("\u202f", " ")
        self.assertIn("peak requested3.00 MiB", stats)
        self.assertIn("leaked1.50 KiB7 blocks", stats)
        self.assertEqual(self.browser.text("h1"), "inventoryd")
        self.assertIn("--serve --data", self.browser.text(".command"))
        titles = self.browser.run("return [...document.querySelectorAll('.stat dd[title]')].map(e => e.title.replaceAll('\u202f', ' '))")
        self.assertIn("3 145 728 bytes", titles)
        origin = self.browser.text("#origin").replace("\u202f", " ")
        for text in ("glibc 2.36", "2025-10-09 08:53:20 UTC", "machine memory62.5 GiB", "recorder cpu812 ms"):
            self.assertIn(text, origin)

    def test_sites_without_a_stack_say_so(self):
        report = sample.make_report("small")
        for site in report["sites"]:
            site["frames"] = []
        self.show(report)
        self.assertEqual(set(self.browser.texts("#sites tbody .site .code")), {"(no stack recorded)"})
        self.browser.click("#sites .openable")
        self.assertEqual(self.browser.console(), [])

    def test_more_than_a_few_suggestions_are_folded(self):
        report = sample.make_report(nodes=300)
        report["suggestions"] = report["suggestions"] * 3
        self.show(report)
        self.assertEqual(self.browser.run("return document.querySelectorAll('#advice article').length"), 4)
        self.browser.click_text("#advice button", "Show all 15 suggestions")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#advice article').length"), 15)

    def test_parts_beyond_what_is_resident_are_marked(self):
        report = sample.make_report("small")
        report["at_peak"]["resident_bytes"] //= 2
        self.show(report)
        marks = self.browser.run("return [...document.querySelectorAll('.composition')].map(e => e.querySelector('.mark')?.title ?? '')")
        self.assertIn("RSS ends here", marks[0])
        self.assertEqual(marks[1], "")

    def test_parts_that_a_report_lacks_are_left_out(self):
        report = sample.make_report("small")
        self.show(report)
        self.assertEqual(self.browser.run("return ['advice', 'replay'].map(id => document.getElementById(id))"), [None, None])
        report.update(maps=[], timeline={name: [] for name in report["timeline"]}, suggestions=[], sites=[], sizes=[], threads=[],
                      lifetime_by_size=[[0] * 48] * 48, lifetimes=[0] * 48, lifetime_bytes=[0] * 48, comparison={"baseline": 0, "trials": []})
        report["tree"] = {"parent": [-1], "frame": [-1], "nodes_omitted": 0, "values": {name: [0] for name in sample.WEIGHTS}}
        self.show(report)
        self.scroll_through()
        self.assertEqual(self.browser.console(), [])
        nothing = " ".join(self.browser.texts(".nothing:not([hidden])"))
        for sentence in ("too short for a timeline", "no heap map", "zero everywhere", "No block was both", "No rule found anything"):
            self.assertIn(sentence, nothing)

    def test_a_doubtful_recording_says_so(self):
        report = sample.make_report("small")
        report["health"].update(complete=False, dropped_events=12)
        report["totals"].update(mismatched=1, failed=2)
        self.show(report)
        warning = self.browser.text(".warning")
        for part in ("cut off before the program ended", "12 events could not be recorded", "1 block freed by the wrong function", "2 requests refused"):
            self.assertIn(part, warning)

    def test_hostile_names_stay_text(self):
        self.show(sample.make_report("hostile"))
        self.scroll_through()
        self.assertEqual(self.browser.console(), [])
        self.assertNotEqual(self.browser.run("return document.title"), "owned")
        self.assertEqual(self.browser.run("return document.querySelectorAll('img').length"), 0)
        self.assertEqual(self.browser.run("return document.querySelectorAll('script').length"), 1)
        self.assertNotIn("\u202e", self.browser.run("return document.body.textContent"))

    def test_a_comparison_shows_signed_differences(self):
        self.show(sample.make_report("diff"))
        self.scroll_through()
        self.assertEqual(self.browser.console(), [])
        self.assertIn("heapwright comparison", self.browser.text(".brand"))
        self.assertEqual(self.browser.run("return document.querySelectorAll('.composition').length"), 4)
        heads = self.browser.texts("#sites thead th")
        self.assertTrue(heads[1].startswith("\u0394 live at peak"), heads)
        cells = self.browser.texts("#sites tbody td.worse")
        self.assertTrue(cells and all(cell.startswith("+") for cell in cells))
        self.assertIn("requested, before", self.browser.text("#timeline .legend"))
        self.assertIn("change", self.browser.text("#flame .details"))

    def test_text_stands_out_in_both_themes(self):
        for kind in ("report", "diff"):
            report = sample.make_report(kind, nodes=900)
            for theme in ("light", "dark"):
                self.browser.prefer(prefers_color_scheme=theme)
                self.show(report)
                self.scroll_through()
                self.browser.run("for (const e of document.querySelectorAll('details')) e.open = true; document.querySelector('#sites .openable')?.click()")
                self.browser.settle()
                with self.subTest(kind=kind, theme=theme):
                    self.assertEqual(self.browser.run(FAINT_TEXT), [])
        self.browser.prefer(prefers_color_scheme="light")

    def test_everything_has_a_name_for_screen_readers(self):
        self.show(sample.make_report(nodes=900))
        self.scroll_through()
        self.browser.run("for (const e of document.querySelectorAll('details')) e.open = true; document.querySelector('#sites .openable').click()")
        self.browser.settle()
        self.assertEqual(self.browser.run(UNNAMED), [])

    def test_narrow_and_wide_windows_need_no_sideways_scrolling(self):
        for width in (360, 768, 1100, 2200):
            self.browser.resize(width, 800)
            self.show(sample.make_report(nodes=900))
            self.scroll_through()
            with self.subTest(width=width):
                self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), width)
        self.browser.resize(1440, 900)

    def test_without_javascript_the_summary_is_shown(self):
        path = self.write(sample.assembled(self.template, ""))
        self.browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.open(path)
            body = self.browser.command("GET", f"/element/{self.browser.find('body')}/text")
            self.assertIn("This report needs JavaScript", body)
        finally:
            self.browser.devtools("Emulation.setScriptExecutionDisabled", value=False)

    def fails_with(self, data, sentence):
        self.open(self.write(sample.assembled(self.template, data)))
        reason = self.browser.wait("document.getElementById('page').dataset.failed")
        self.assertIn(sentence, reason)
        self.assertEqual(self.browser.run("return document.querySelector('[role=alert] h1').textContent"), "This report cannot be shown")
        self.assertEqual(self.browser.console(), [])

    def test_damaged_data_is_explained(self):
        report = sample.make_report("small")
        good = sample.packed(report)

        def zipped(value):
            return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()

        self.fails_with("%%%", "not valid base64")
        self.fails_with("", "do not unpack as gzip")
        self.fails_with(good[: len(good) // 2 // 4 * 4], "do not unpack as gzip")
        self.fails_with(base64.b64encode(b"random bytes").decode(), "do not unpack as gzip")
        self.fails_with(base64.b64encode(gzip.compress(b'{"schema": 1,')).decode(), "do not parse as JSON")
        self.fails_with(zipped(None), "not a heapwright report")
        self.fails_with(zipped({"schema": 99}), "schema 99")
        self.fails_with(zipped({"schema": 1}), "incomplete: totals")
        for part, sentence in (("sites", "sites is missing"), ("at_end", "at_end is missing")):
            broken = {name: value for name, value in report.items() if name != part}
            self.fails_with(zipped(broken), sentence)
        short = json.loads(json.dumps(report))
        short["tree"]["values"]["leaked"].pop()
        self.fails_with(zipped(short), "tree.values.leaked")
        short = json.loads(json.dumps(report))
        short["timeline"]["frees"].pop()
        self.fails_with(zipped(short), "timeline.frees")

    def test_a_page_without_data_is_explained(self):
        self.open(self.write(self.template))
        self.assertIn("holds no report", self.browser.wait("document.getElementById('page').dataset.failed"))


if __name__ == "__main__":
    unittest.main()

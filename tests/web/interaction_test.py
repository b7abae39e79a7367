"""Every control of the report page, used as a reader would: by pointer and by keyboard."""
import os
import pathlib
import tempfile
import unittest

import sample
from browser import Browser

PAGE = pathlib.Path(os.environ.get("HEAPWRIGHT_BUILD", "build/dev")) / "src/heapwright/study/report/web/report_page.html"
READY = "document.getElementById('page').dataset.ready"
# What a canvas shows: enough to see that it was drawn anew.
PICTURE = "return document.querySelector(arguments[0]).toDataURL()"


class Interaction(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="heapwright-page-")
        cls.report = sample.make_report(nodes=3000)
        cls.path = pathlib.Path(cls.folder.name) / "report.html"
        cls.path.write_text(sample.assembled(PAGE.read_text(encoding="utf-8"), sample.packed(cls.report)), encoding="utf-8")
        cls.browser = Browser()
        cls.browser.resize(1440, 900)
        cls.browser.prefer(prefers_reduced_motion="reduce", prefers_color_scheme="light")

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def setUp(self):
        self.browser.console()
        self.browser.open(self.path)
        self.browser.wait(READY)
        self.browser.run("localStorage.clear()")

    def tearDown(self):
        self.assertEqual(self.browser.console(), [])

    def look_at(self, section):
        self.browser.run("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", section)
        self.browser.settle()

    def picture(self, selector):
        self.browser.settle()
        return self.browser.run(PICTURE, selector)

    def focus(self, selector):
        self.browser.run("document.querySelector(arguments[0]).focus()", selector)

    def unfold(self, section):
        """Opens the table behind a picture; its rows are made by an event that comes a little later."""
        self.browser.click(f"#{section} summary")
        self.browser.wait(f"document.querySelector('#{section} details tbody tr')")

    def column(self, section, index):
        """The exact numbers of a column, from the titles of its cells."""
        titles = self.browser.run(
            "return [...document.querySelectorAll(`#${arguments[0]} tbody tr:not(.detail)`)].map(row => row.children[arguments[1]].title)", section, index)
        return [int("".join(character for character in title if character.isdigit())) for title in titles]

    # tables

    def test_a_table_sorts_by_its_heads(self):
        self.look_at("sizes")
        by_count = sorted((row["allocations"] for row in self.report["sizes"]), reverse=True)
        self.assertEqual(self.column("sizes", 3), by_count[:30])
        self.browser.click("#sizes th[data-key=size] button")
        self.assertEqual(self.column("sizes", 0), sorted((row["size"] for row in self.report["sizes"]), reverse=True)[:30])
        self.assertEqual(self.browser.run("return document.querySelector('#sizes th[data-key=size]').ariaSort"), "descending")
        self.browser.key("enter")  # the head keeps the focus
        self.assertEqual(self.browser.run("return document.querySelector('#sizes th[data-key=size]').ariaSort"), "ascending")
        self.assertEqual(self.column("sizes", 0), sorted(row["size"] for row in self.report["sizes"])[:30])

    def test_text_columns_sort_from_a_to_z_first(self):
        self.browser.click("#threads th[data-key=thread] button")
        names = self.browser.texts("#threads tbody td:first-child")
        self.assertEqual(names[0], "inventoryd")
        self.assertEqual(self.browser.run("return document.querySelector('#threads th[data-key=thread]').ariaSort"), "ascending")

    def test_a_table_filters_by_words_and_conditions(self):
        self.browser.type("#sites input[type=search]", "Parser leaked>0")
        shown = self.browser.run("return document.querySelectorAll('#sites tbody tr').length")

        def text(site):
            frames = [self.report["frames"][index] for index in site["frames"]]
            return " ".join(f"{frame['function']} {frame.get('file', '')} {sample.MODULES[frame['module']]}" for frame in frames).lower()

        expected = [site for site in self.report["sites"] if "parser" in text(site) and site["leaked"]["requested_bytes"] > 0]
        self.assertGreater(len(expected), 0)
        self.assertEqual(shown, min(30, len(expected)))
        self.assertIn(f"{len(expected)} of", self.browser.text("#sites .found"))
        self.browser.type("#sites input[type=search]", "no such function anywhere")
        self.assertEqual(self.browser.text("#sites tbody"), "no site matches this filter")
        self.browser.type("#sites input[type=search]", "")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#sites tbody tr').length"), 30)

    def test_a_long_table_shows_more_on_request(self):
        self.browser.click_text("#sites button", "Show 100 more")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#sites tbody tr').length"), 130)

    def test_each_look_at_the_sites_has_its_columns(self):
        for label, column in (("Leaked", "leaked"), ("Traffic", "temporary"), ("Pinned pages", "pinned_end"), ("Resized", "chain_max"), ("Threads", "cross_thread")):
            self.browser.click_text("#sites .choices label", label)
            keys = self.browser.run("return [...document.querySelectorAll('#sites thead th')].map(e => e.dataset.key)")
            self.assertIn(column, keys)

    def test_a_row_opens_to_its_stack_and_leads_to_the_flame_graph(self):
        self.look_at("sites")
        self.browser.click("#sites tbody tr td.number")
        site = max(self.report["sites"], key=lambda each: each["live_at_peak"]["requested_bytes"])
        names = self.browser.texts("#sites .stack .code")
        self.assertEqual(names, [self.report["frames"][index]["function"] for index in site["frames"]])
        self.assertEqual(self.browser.run("return document.querySelector('#sites .fold').getAttribute('aria-expanded')"), "true")
        self.assertGreater(self.browser.run("return document.querySelectorAll('#sites .histogram rect').length"), 3)
        self.browser.click_text("#sites button", "Show in flame graph")
        self.assertEqual(self.browser.text("#flame .details .code"), names[0])
        self.assertIn("flame", self.browser.run("return document.activeElement.className"))

    def test_a_row_opens_by_keyboard(self):
        self.focus("#sites tbody .fold")
        self.browser.key("enter")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#sites .detail').length"), 1)
        self.browser.key("enter")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#sites .detail').length"), 0)

    # flame graph

    def test_weights_change_the_flame_graph(self):
        self.look_at("flame")
        pictures = {self.picture("canvas.flame")}
        for label in ("Leaked", "Allocated", "Allocations", "Temporary", "Pinned free, peak", "Pinned free, end"):
            self.browser.click_text("#flame .choices label", label)
            pictures.add(self.picture("canvas.flame"))
        self.assertEqual(len(pictures), 7)
        self.focus("#flame .choices input:checked")
        self.browser.key("left")
        self.assertEqual(self.browser.run("return document.querySelector('#flame .choices input:checked').value"), "pinned_free_peak")

    def test_the_flame_graph_zooms_by_click_and_back(self):
        self.look_at("flame")
        whole = self.picture("canvas.flame")
        self.browser.pointer("canvas.flame", (40, 10 + 19 * 6), "down", "up")
        self.assertGreater(self.browser.run("return document.querySelectorAll('#flame .path button').length"), 5)
        self.assertNotEqual(self.picture("canvas.flame"), whole)
        self.browser.click_text("#flame button", "Whole program")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#flame .path button').length"), 1)

    def test_the_flame_graph_is_walked_by_keyboard(self):
        self.focus("canvas.flame")
        self.browser.key("down", "down", "down", "down")
        name = self.browser.text("#flame .details .code")
        self.assertEqual(name, "main")
        self.browser.key("down")
        self.assertIn("of all", self.browser.text("#announcements"))
        self.browser.key("enter")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#flame .path button').length"), 5)
        self.browser.key("escape")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#flame .path button').length"), 1)

    def test_search_marks_functions_and_tells_their_share(self):
        self.look_at("flame")
        before = self.picture("canvas.flame")
        self.browser.type("#flame input[type=search]", "main")
        self.assertEqual(self.browser.text("#flame .found").replace("\u202f", " "), "found: 100 %")
        self.assertNotEqual(self.picture("canvas.flame"), before)
        self.browser.type("#flame input[type=search]", "/^nothing+$/")
        self.assertEqual(self.browser.text("#flame .found").replace("\u202f", " "), "found: 0 %")
        self.browser.type("#flame input[type=search]", "operator(")
        self.browser.type("#flame input[type=search]", "")
        self.assertEqual(self.browser.text("#flame .found"), "")
        self.assertEqual(self.picture("canvas.flame"), before)

    def test_the_flame_graph_turns_over_and_hides_runtime_frames(self):
        self.look_at("flame")
        pictures = [self.picture("canvas.flame")]
        for label in ("allocating function first", "hide runtime frames"):
            self.browser.click_text("#flame label.check", label)
            pictures.append(self.picture("canvas.flame"))
        self.assertEqual(len(set(pictures)), 3)
        self.focus("canvas.flame")
        self.browser.key("down", "down")
        self.assertNotIn("operator new", self.browser.text("#flame .details .code"))

    def test_a_box_tells_its_function_on_hover(self):
        self.browser.pointer("canvas.flame", (40, 10 + 19 * 3))
        note = self.browser.text("#tooltip")
        self.assertIn("main", note)
        self.assertIn("main.cpp:41", note)

    def test_the_functions_stand_in_a_table_too(self):
        self.unfold("flame")
        self.assertIn("main", self.browser.texts("#flame tbody .code"))

    # timeline and heap map

    def test_a_click_into_the_timeline_chooses_the_nearest_map(self):
        self.look_at("map")
        self.assertIn("peak", self.browser.text(".moment-name"))
        before = self.picture("canvas.heap-map")
        self.browser.pointer("#timeline .u-over", (1200, 100), "down", "up")
        self.assertNotIn("peak", self.browser.text(".moment-name"))
        self.look_at("map")
        self.assertNotEqual(self.picture("canvas.heap-map"), before)

    def test_dragging_zooms_the_timeline_and_a_button_undoes_it(self):
        self.look_at("timeline")
        self.assertTrue(self.browser.run("return [...document.querySelectorAll('#timeline button')].find(e => e.textContent === 'Whole run').disabled"))
        before = self.picture("#timeline canvas")
        self.browser.pointer("#timeline .u-over", (300, 60), "down", (350, 60), (500, 60), "up")
        self.assertNotEqual(self.picture("#timeline canvas"), before)
        self.assertIn("peak", self.browser.text(".moment-name"))  # a drag is no click
        self.browser.click_text("#timeline button", "Whole run")
        self.assertEqual(self.picture("#timeline canvas"), before)

    def test_the_timeline_is_a_slider_for_the_keyboard(self):
        self.focus("#timeline .charts")
        self.browser.key("home")
        self.browser.key("right", "right")
        place = "document.querySelector('#timeline .charts')"
        self.assertEqual(self.browser.run(f"return {place}.getAttribute('aria-valuenow')"), "2")
        self.assertIn("requested", self.browser.run(f"return {place}.getAttribute('aria-valuetext')"))
        self.browser.key("enter")
        self.assertIn("Heap map", self.browser.text("#announcements"))
        before = self.picture("#timeline canvas")
        self.browser.key("+")
        self.assertNotEqual(self.picture("#timeline canvas"), before)
        self.browser.key("escape")
        self.assertEqual(self.picture("#timeline canvas"), before)

    def test_lines_are_hidden_and_shown(self):
        self.look_at("timeline")
        before = self.picture("#timeline canvas")
        self.browser.click("#timeline .legend button")
        self.assertEqual(self.browser.run("return document.querySelector('#timeline .legend button').getAttribute('aria-pressed')"), "false")
        self.assertNotEqual(self.picture("#timeline canvas"), before)
        self.browser.click("#timeline .legend button")
        self.assertEqual(self.picture("#timeline canvas"), before)

    def test_the_legend_tells_the_values_under_the_cursor(self):
        self.browser.pointer("#timeline .u-over", (100, 50))
        first = self.browser.text("#timeline .legend b")
        self.browser.pointer("#timeline .u-over", (700, 50))
        self.assertNotEqual(self.browser.text("#timeline .legend b"), first)
        self.assertIn("at ", self.browser.text("#timeline .found"))

    def test_the_slider_goes_through_the_moments(self):
        self.look_at("map")
        self.focus("input.moments")
        self.browser.key("end")
        self.assertIn("end", self.browser.text(".moment-name"))
        last = self.picture("canvas.heap-map")
        self.browser.key("home")
        self.assertNotEqual(self.picture("canvas.heap-map"), last)
        self.assertEqual(self.browser.run("return document.querySelector('input.moments').getAttribute('aria-valuetext')"), self.browser.text(".moment-name"))

    def test_the_heap_map_plays(self):
        self.look_at("map")
        self.focus("input.moments")
        self.browser.key("home")
        self.browser.click_text("#map button", "\u25b6 Play")
        self.browser.wait("document.querySelector('input.moments').value === '2'")
        self.browser.click_text("#map button", "\u25a0 Stop")

    def test_the_heap_map_zooms_and_names_its_cells(self):
        self.look_at("map")
        before = self.picture("canvas.heap-map")
        self.browser.click("#map button[aria-label='Larger cells']")
        self.assertNotEqual(self.picture("canvas.heap-map"), before)
        self.browser.click_text("#map button", "Fit")
        self.assertEqual(self.picture("canvas.heap-map"), before)
        self.browser.pointer("canvas.heap-map", (150, 4))
        self.assertIn("0x5581", self.browser.text("#tooltip"))
        self.focus("canvas.heap-map")
        self.browser.key("right", "right", "down")
        self.assertIn("address 0x5581", self.browser.text("#announcements"))

    def test_the_heap_map_scrolls_when_its_cells_are_large(self):
        self.look_at("map")
        for _ in range(8):
            self.browser.click("#map button[aria-label='Larger cells']")
        before = self.picture("canvas.heap-map")
        self.browser.run("document.querySelector('.map-window').scrollTop = 900")
        self.browser.settle()
        self.assertNotEqual(self.picture("canvas.heap-map"), before)

    def test_regions_and_moments_stand_in_tables_too(self):
        self.look_at("map")
        self.unfold("map")
        self.assertIn("0x55814c200000", self.browser.texts("#map .table tbody .code"))
        self.unfold("timeline")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#timeline tbody tr').length"), 30)

    # the rest

    def test_lifetimes_tell_their_cells(self):
        self.browser.pointer("canvas.lifetimes", (90, 70))
        self.assertIn("lived", self.browser.text("#tooltip"))
        self.focus("canvas.lifetimes")
        self.browser.key("up", "right")
        self.assertIn("blocks", self.browser.text("#announcements"))
        self.unfold("lifetimes")
        self.assertGreater(self.browser.run("return document.querySelectorAll('#lifetimes tbody tr').length"), 5)

    def test_suggestions_are_ordered_and_narrowed(self):
        titles = self.browser.texts("#advice h3")
        self.assertEqual(titles[0], "Run with mimalloc")
        self.browser.click_text("#advice .choices label", "Time")
        self.assertIn("Reserve", self.browser.texts("#advice h3")[0])
        self.browser.click_text("#advice label.check", "only proved")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#advice article').length"), 2)
        self.browser.click_text("#advice button", "Show site")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#sites .detail').length"), 1)

    def test_trials_tell_what_is_real_and_what_noise(self):
        self.look_at("replay")
        rows = self.browser.texts("#replay tbody tr")
        self.assertIn("baseline", rows[0])
        self.assertTrue(any("signal 11" in row for row in rows))
        self.assertTrue(any("\u2248 noise" in row for row in rows))
        before = self.picture("#replay canvas")
        self.browser.click("#replay .legend button")
        self.assertNotEqual(self.picture("#replay canvas"), before)

    def test_the_theme_is_switched_and_kept(self):
        self.look_at("flame")
        light = self.picture("canvas.flame")
        ground = self.browser.run("return getComputedStyle(document.body).backgroundColor")
        self.browser.prefer(prefers_color_scheme="dark")
        self.assertNotEqual(self.picture("canvas.flame"), light)
        self.assertNotEqual(self.browser.run("return getComputedStyle(document.body).backgroundColor"), ground)
        self.browser.click("#theme")
        self.assertIn("light", self.browser.text("#theme"))
        self.assertEqual(self.browser.run("return getComputedStyle(document.body).backgroundColor"), ground)
        self.browser.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        self.browser.click("#theme")
        self.assertIn("dark", self.browser.text("#theme"))
        self.browser.open(self.path)
        self.browser.wait(READY)
        self.assertIn("dark", self.browser.text("#theme"))
        self.assertNotEqual(self.browser.run("return getComputedStyle(document.body).backgroundColor"), ground)

    def test_words_are_explained_on_focus(self):
        self.browser.run("[...document.querySelectorAll('.term')].find(e => e.textContent === 'external fragmentation').focus()")
        self.assertIn("Free bytes on OS pages", self.browser.text("#tooltip"))
        self.browser.key("escape")
        self.assertTrue(self.browser.run("return document.getElementById('tooltip').hidden"))

    def test_the_links_lead_to_their_sections(self):
        self.browser.click_text("nav.sections a", "Lifetimes")
        self.browser.wait("document.querySelector('nav.sections [aria-current]').textContent === 'Lifetimes'")
        self.assertLess(abs(self.browser.run("return document.getElementById('lifetimes').getBoundingClientRect().top")), 120)

    def test_everything_is_reached_by_the_tab_key(self):
        self.browser.run("document.activeElement.blur()")
        self.browser.key("tab")
        self.assertEqual(self.browser.run("return document.activeElement.className"), "skip")
        seen = set()
        for _ in range(90):
            self.browser.command("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [{"type": kind, "value": "\ue004"} for kind in ("keyDown", "keyUp")]}]})
            seen.add(self.browser.run("return document.activeElement.closest('section, header, nav')?.id || document.activeElement.className"))
        self.assertTrue({"overview", "advice", "timeline"} <= seen, seen)


if __name__ == "__main__":
    unittest.main()

// The page's start: reads the data, builds the sections, and says clearly when there is nothing to show.
import "./style/base.css";
import "./style/parts.css";

import { h, replace, when_near } from "./core/dom.ts";
import { DamagedData, load } from "./core/load.ts";
import { Page } from "./core/page.ts";
import { theme_button } from "./core/theme.ts";
import { advice_section } from "./view/advice.ts";
import { flame_section } from "./view/flame_section.ts";
import { header } from "./view/header.ts";
import { heap_map_section } from "./view/heap_map.ts";
import { lifetimes_section } from "./view/lifetimes.ts";
import { origin_section } from "./view/origin.ts";
import { replay_section } from "./view/replay.ts";
import { sites_section } from "./view/sites.ts";
import { sizes_section, threads_section } from "./view/small_tables.ts";
import { timeline_section } from "./view/timeline.ts";

/// What stays at the top: the sections by name, the one in view marked, and the switch of colours.
function navigation(sections: readonly HTMLElement[]): HTMLElement {
  const links = new Map<Element, HTMLAnchorElement>();
  for (const part of sections) {
    links.set(part, h("a", { href: `#${part.id}` }, part.querySelector("h1, h2")?.tagName === "H1" ? "Overview" : part.querySelector("h2")?.textContent));
  }
  const seen = new Set<Element>();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          seen.add(entry.target);
        } else {
          seen.delete(entry.target);
        }
      }
      const first = sections.find((part) => seen.has(part));
      for (const [part, link] of links) {
        if (part === first) {
          link.setAttribute("aria-current", "true");
        } else {
          link.removeAttribute("aria-current");
        }
      }
    },
    { rootMargin: "-72px 0px -40% 0px" },
  );
  sections.forEach((part) => observer.observe(part));
  return h("div", { class: "top" }, h("nav", { class: "sections", "aria-label": "Sections" }, [...links.values()]), theme_button());
}

function build(page: Page, place: HTMLElement): void {
  const timeline = timeline_section(page);
  const map = heap_map_section(page);
  const replay = replay_section(page);
  const sections = [
    header(page),
    advice_section(page),
    timeline.element,
    map.element,
    flame_section(page),
    sites_section(page),
    lifetimes_section(page),
    sizes_section(page),
    threads_section(page),
    replay?.element,
    origin_section(page),
  ].filter((part): part is HTMLElement => part !== undefined);
  const [first, ...rest] = sections;
  replace(place, h("a", { class: "skip", href: "#timeline" }, "Skip to the timeline"), navigation(sections), h("main", null, first, rest));
  timeline.start();
  when_near(map.element, map.start);
  if (replay) {
    when_near(replay.element, replay.start);
  }
}

async function start(): Promise<void> {
  const place = document.getElementById("page") ?? document.body;
  try {
    const page = new Page(await load());
    build(page, place);
    place.setAttribute("data-ready", String(Math.round(performance.now())));
  } catch (error) {
    const reason = error instanceof DamagedData ? error.message : `This page met something it did not expect: ${String(error)}`;
    replace(
      place,
      h(
        "div",
        { class: "failure", role: "alert" },
        h("h1", null, "This report cannot be shown"),
        h("p", null, `${reason}.`),
        h("p", null, "Make the report again with ", h("code", null, "heapwright report TRACE --html FILE"), "."),
      ),
    );
    place.setAttribute("data-failed", reason);
    if (!(error instanceof DamagedData)) {
      throw error;
    }
  }
}

void start();

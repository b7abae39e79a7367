// The suggestions: what to change, why, what it should gain, and whether a replay has proved it.
import { h, type Child } from "../core/dom.ts";
import { bytes, time, with_unit } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term } from "../core/terms.ts";
import type { Suggestion, Verdict } from "../schema.ts";
import { button, check_box, choices, section } from "./controls.ts";

const VERDICTS: Record<Verdict, { order: number; label: () => Child }> = {
  proved: { order: 0, label: () => term("proved", "\u2713 proved") },
  not_tried: { order: 1, label: () => term("not tried", "\u25cb not tried") },
  refuted: { order: 2, label: () => term("refuted", "\u2717 refuted") },
};

function verdict_of(suggestion: Suggestion): Verdict {
  return suggestion.verdict in VERDICTS ? suggestion.verdict : "not_tried";
}

const FIRST_SHOWN = 4;

type Order = "verdict" | "bytes" | "seconds";

function gain(suggestion: Suggestion): string {
  const parts = [
    suggestion.expected_bytes > 0 && bytes(suggestion.expected_bytes),
    suggestion.expected_seconds > 0 && time(suggestion.expected_seconds * 1e9),
  ].filter((part): part is string => Boolean(part));
  return parts.length > 0 ? `expected gain ${parts.join(" and ")}` : "no gain claimed";
}

function card(page: Page, suggestion: Suggestion): HTMLElement {
  const { site, experiment } = suggestion;
  const verdict = verdict_of(suggestion);
  const sites = [...new Set([...(site === undefined ? [] : [site]), ...experiment.sites])].filter((id) => page.site(id));
  const copy_button = button("Copy", () => {
    navigator.clipboard?.writeText(suggestion.how).then(
      () => (copy_button.textContent = "Copied"),
      () => (copy_button.textContent = "Copying is not allowed here"),
    );
  });
  return h(
    "article",
    { class: `advice ${verdict}`, "aria-label": suggestion.title },
    h("div", { class: "advice-head" }, h("span", { class: `badge ${verdict}` }, VERDICTS[verdict].label()), h("h3", null, suggestion.title), h("span", { class: "gain", title: suggestion.arithmetic }, gain(suggestion))),
    suggestion.where && h("p", { class: "where code" }, suggestion.where),
    h("p", null, suggestion.what),
    suggestion.proof && h("p", { class: `proof ${verdict}` }, suggestion.proof),
    suggestion.evidence.length > 0 &&
      h("dl", { class: "facts inline" }, suggestion.evidence.map((fact) => h("div", null, h("dt", null, fact.name), h("dd", null, with_unit(fact.value, fact.unit))))),
    suggestion.how && h("div", { class: "how" }, h("pre", { tabindex: 0, "aria-label": "What to paste" }, h("code", null, suggestion.how)), copy_button),
    h(
      "p",
      { class: "hint toolbar" },
      `rule ${suggestion.rule} \u00b7 experiment ${experiment.id}`,
      sites.slice(0, 3).map((id) => button(sites.length > 1 ? `Site ${id}` : "Show site", () => page.wanted_site.set({ id }))),
    ),
  );
}

export function advice_section(page: Page): HTMLElement | undefined {
  const { suggestions } = page.report;
  if (!suggestions) {
    return undefined;
  }
  if (suggestions.length === 0) {
    return section("advice", "Advice", "", h("p", { class: "nothing" }, "No rule found anything worth changing."));
  }
  let order: Order = "verdict";
  let only_proved = false;
  let all = suggestions.length <= FIRST_SHOWN + 1;
  const list = h("div", { class: "advices" });
  const compare: Record<Order, (a: Suggestion, b: Suggestion) => number> = {
    verdict: (a, b) => VERDICTS[verdict_of(a)].order - VERDICTS[verdict_of(b)].order || b.expected_bytes - a.expected_bytes,
    bytes: (a, b) => b.expected_bytes - a.expected_bytes,
    seconds: (a, b) => b.expected_seconds - a.expected_seconds,
  };
  const show = (): void => {
    const shown = suggestions.filter((suggestion) => !only_proved || suggestion.verdict === "proved").sort(compare[order]);
    list.replaceChildren(...(all ? shown : shown.slice(0, FIRST_SHOWN)).map((suggestion) => card(page, suggestion)));
    more.hidden = all || shown.length <= FIRST_SHOWN;
    more.textContent = `Show all ${shown.length} suggestions`;
    if (shown.length === 0) {
      list.append(h("p", { class: "nothing" }, "None of the suggestions has been proved yet."));
    }
  };
  const more = button("", () => {
    all = true;
    show();
  });
  show();
  const proved = suggestions.filter((suggestion) => suggestion.verdict === "proved").length;
  return section(
    "advice",
    "Advice",
    [`${suggestions.length} suggestion${suggestions.length === 1 ? "" : "s"}, ${proved} `, term("proved"), " by replaying the recorded events."],
    h(
      "div",
      { class: "toolbar" },
      choices<Order>("Order by", [{ value: "verdict", label: "Proof first" }, { value: "bytes", label: "Bytes" }, { value: "seconds", label: "Time" }], order, (value) => {
        order = value;
        show();
      }),
      check_box("only proved", false, (on) => {
        only_proved = on;
        show();
      }),
    ),
    list,
    h("p", { class: "more" }, more),
  );
}

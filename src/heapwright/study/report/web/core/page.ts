// What all views share: the report and the few choices that more than one of them follows.
import type { HeapMap, Report, Site, Weight } from "../schema.ts";
import { Names } from "./names.ts";
import { Signal } from "./signal.ts";

export class Page {
  readonly names: Names;
  readonly diff: boolean;
  /// The maps in time order: the peak is one of them.
  readonly maps: HeapMap[];
  readonly weight = new Signal<Weight>("peak");
  /// Index into `maps`: which moment's heap map is shown, and marked in the timeline.
  readonly moment: Signal<number>;
  /// A stack to show in the flame graph, or a site to open in its table; each request is a new object.
  readonly wanted_stack = new Signal<{ frames: readonly number[] }>({ frames: [] });
  readonly wanted_site = new Signal<{ id: number }>({ id: -1 });
  private readonly sites_ = new Map<number, Site>();

  constructor(readonly report: Report) {
    this.names = new Names(report);
    this.diff = report.kind === "diff";
    this.maps = [...report.maps].sort((a, b) => a.time_ns - b.time_ns);
    this.moment = new Signal(Math.max(0, this.maps.findIndex((map) => map.label === "peak")));
    for (const site of report.sites) {
      this.sites_.set(site.id, site);
    }
  }

  site(id: number): Site | undefined {
    return this.sites_.get(id);
  }

  /// Chooses the map whose moment lies nearest to `time_ns`.
  choose_nearest_map(time_ns: number): void {
    let best = this.moment.value;
    this.maps.forEach((map, at) => {
      const known = this.maps[best];
      if (!known || Math.abs(map.time_ns - time_ns) < Math.abs(known.time_ns - time_ns)) {
        best = at;
      }
    });
    this.moment.set(best);
  }
}

/// Scrolls to a section and gives it the focus, so that the keyboard goes on from there.
export function go_to(id: string): void {
  document.getElementById(id)?.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

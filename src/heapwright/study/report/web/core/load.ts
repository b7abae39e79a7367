// Takes the report out of the page: base64, gzip, JSON, and a clear sentence when any of them is damaged.
import { SCHEMA, WEIGHTS, type Report } from "../schema.ts";

/// A reason why the page cannot show anything, in words for the reader.
export class DamagedData extends Error {}

export function bytes_of_base64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) {
    bytes[at] = binary.charCodeAt(at);
  }
  return bytes;
}

function decoded(text: string): Uint8Array<ArrayBuffer> {
  try {
    return bytes_of_base64(text);
  } catch {
    throw new DamagedData("The data inside this file is not valid base64");
  }
}

async function unzipped(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (typeof DecompressionStream === "undefined") {
    throw new DamagedData("This browser cannot unpack gzip (it lacks DecompressionStream); open the file in a browser from 2023 or later");
  }
  try {
    return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  } catch {
    throw new DamagedData(`The data inside this file is damaged: ${bytes.length} bytes do not unpack as gzip`);
  }
}

function parsed(text: string): Report {
  let report: Report;
  try {
    report = JSON.parse(text) as Report;
  } catch {
    throw new DamagedData(`The data inside this file is damaged: ${text.length} characters do not parse as JSON`);
  }
  if (report === null || typeof report !== "object" || typeof report.schema !== "number") {
    throw new DamagedData("The data inside this file is not a heapwright report");
  }
  if (report.schema !== SCHEMA) {
    throw new DamagedData(`This report has schema ${report.schema}; this page reads schema ${SCHEMA}`);
  }
  return report;
}

/// The first thing that is missing or of unequal length, or undefined: what the views rely on without looking again.
function missing_part(report: Report): string | undefined {
  for (const name of ["totals", "health", "at_peak", "at_end", "provenance"] as const) {
    if (typeof report[name] !== "object") {
      return name;
    }
  }
  for (const name of ["frames", "modules", "sites", "sizes", "threads", "maps", "lifetimes", "lifetime_by_size"] as const) {
    if (!Array.isArray(report[name])) {
      return name;
    }
  }
  const nodes = report.tree?.parent?.length;
  if (!nodes || report.tree.frame?.length !== nodes) {
    return "tree";
  }
  const weight = WEIGHTS.find((name) => report.tree.values?.[name]?.length !== nodes);
  if (weight) {
    return `tree.values.${weight}`;
  }
  const moments = report.timeline?.time_ns?.length;
  const column = Object.entries(report.timeline ?? {}).find(([, values]) => values.length !== moments);
  if (moments === undefined || column) {
    return `timeline${column ? `.${column[0]}` : ""}`;
  }
  return report.kind === "diff" && !report.before ? "before" : undefined;
}

/// The report inside the document. Fails: DamagedData.
export async function load(): Promise<Report> {
  const element = document.getElementById("heapwright-data");
  if (!element) {
    throw new DamagedData("This page holds no report; make one with: heapwright report TRACE --html FILE");
  }
  const report = parsed(await unzipped(decoded((element.textContent ?? "").trim())));
  element.remove(); // the text is megabytes; nobody needs it again
  const missing = missing_part(report);
  if (missing) {
    throw new DamagedData(`The data inside this file is incomplete: ${missing} is missing or cut short`);
  }
  return report;
}

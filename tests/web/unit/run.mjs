// Bundles the *.test.ts of this folder against the page's sources and runs them with node's own test runner.
// Usage: node run.mjs WEB_FOLDER NODE_MODULES OUTPUT_FOLDER
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [web, packages, output] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(join(packages, "resolve-from-here.js"))("esbuild");
const tests = readdirSync(here).filter((name) => name.endsWith(".test.ts"));

await esbuild.build({
  entryPoints: tests.map((name) => join(here, name)),
  bundle: true,
  platform: "node",
  format: "esm",
  outExtension: { ".js": ".mjs" },
  nodePaths: [packages],
  alias: { heapwright: web },
  outdir: output,
  sourcemap: "inline",
});
const built = tests.map((name) => join(output, name.replace(/\.ts$/, ".mjs")));
process.exit(spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], { stdio: "inherit" }).status ?? 1);

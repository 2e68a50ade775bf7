// Builds the page: sources here -> the files that the Python package serves.  The same sources give the same bytes.
import { build, context } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [out = join(here, "../dcl_comms_station/web/static"), mode = ""] = process.argv.slice(2);

// The page tells the Station which build it is: a name made of the sources.
const sources = createHash("sha256");
for (const name of readdirSync(join(here, "src"), { recursive: true, encoding: "utf8" }).sort()) {
  if (/\.(ts|tsx|css|html|svg)$/.test(name)) sources.update(name).update(readFileSync(join(here, "src", name)));
}
sources.update(readFileSync(join(here, "package-lock.json")));

const options = {
  absWorkingDir: here,
  entryPoints: { station: "src/main.tsx", charts: "src/health/charts.ts", sound: "src/media/worklet.ts" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  external: ["./charts.js"],
  define: { BUILD: JSON.stringify(sources.digest("hex").slice(0, 12)) },
  logLevel: "warning",
};

mkdirSync(out, { recursive: true });
for (const name of ["index.html", "icon.svg"]) writeFileSync(join(out, name), readFileSync(join(here, "src", name)));
const parts = ["preact", "@preact/signals", "@preact/signals-core", "uplot"].map((name) => {
  const text = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim();
  return `${name}\n\n${text}\n`;
});
writeFileSync(join(out, "licences.txt"), parts.join("\n----\n\n"));
if (mode === "watch") {
  await (await context(options)).watch();
} else {
  await build(options);
}

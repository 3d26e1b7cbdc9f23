// Bundles the sources into one page without any request, and writes the licences of the packages in it.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "..", "..", "netgraph", "viz", "explorer");

/** Files from which the page is made, as paths with "/", sorted. */
function sources() {
  const own = readdirSync(join(HERE, "src")).map((name) => `src/${name}`);
  return ["build.mjs", "package-lock.json", "package.json", ...own].sort();
}

/** SHA-256 over names, sizes and contents of the sources. */
function digest() {
  const hash = createHash("sha256");
  for (const name of sources()) {
    const content = readFileSync(join(HERE, name));
    hash.update(`${name}\n${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}

function allowed(content) {
  return `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
}

async function bundle(entry, loader) {
  const result = await build({
    absWorkingDir: HERE,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    target: ["es2022"],
    format: loader === "js" ? "iife" : undefined,
    legalComments: "none",
  });
  return { text: result.outputFiles[0].text.trim(), inputs: Object.keys(result.metafile.inputs) };
}

/** Packages in the bundle: name, version, licence and its text. */
function packages(inputs) {
  const names = inputs.flatMap((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []);
  return [...new Set(names)].sort().map((name) => {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    return { name, version, license, text: readFileSync(join(folder, file), "utf8").trim() };
  });
}

const script = await bundle("src/main.js", "js");
const style = await bundle("src/page.css", "css");
if (/<\/script|<!--/i.test(script.text)) throw new Error("The bundle contains text that would end its script element.");
const used = packages(script.inputs);
const values = {
  sources: digest(),
  packages: used.map(({ name, version, license }) => `  ${name} ${version}, ${license}`).join("\n"),
  policy: `default-src 'none'; script-src ${allowed(script.text)}; style-src ${allowed(style.text)}; img-src data:`,
  style: style.text,
  script: script.text,
};
const page = readFileSync(join(HERE, "src", "page.html"), "utf8").replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
writeFileSync(join(OUT, "explorer.html"), page);
const licences = used.map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`);
writeFileSync(join(OUT, "LICENSES.txt"), `Licences of the packages in explorer.html.\n\n${licences.join("\n" + "-".repeat(80) + "\n\n")}`);
console.log(`explorer.html: ${(page.length / 1024).toFixed(0)} KiB, ${used.map(({ name }) => name).join(", ")}`);

/** The project's own lint rules; `deno lint` loads them (deno.json: lint.plugins). */
import { isCore } from "./cores.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** What a core must be given instead of fetching itself: objects, and of them these members (all when empty). */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  Date: ["now"],
  performance: [],
  Math: ["random"],
  crypto: ["getRandomValues", "randomUUID", "subtle"],
  Deno: [],
};
const OUTSIDE_CALLS = new Set([
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"],
  ...["randomBytes", "randomFillSync", "readFileSync", "alert", "prompt"],
]);
/** Modules that do I/O or are a source of chance. */
const OUTSIDE_MODULES = /^node:(fs|net|dgram|child_process|crypto|timers|os|worker_threads|sqlite)/;
/** What those modules have that only computes. */
const PURE = new Set(["isIP", "isIPv4", "isIPv6", "createHash", "timingSafeEqual"]);
const MAY_OPEN_LIBRARIES = ["os/", "token/pcsc/", "tests/", "bench/"];

const plugin: Deno.lint.Plugin = {
  name: "sekisho",
  rules: {
    "named-exports": {
      create(context) {
        return {
          ExportDefaultDeclaration(node) {
            context.report({ node, message: "A default export has no name; export it by name" });
          },
        };
      },
    },
    "pure-core": {
      create(context) {
        if (!isCore(relative(context.filename), context.sourceCode.text)) return {};
        const refuse = (node: Deno.lint.Node, what: string) =>
          context.report({ node, message: `A core has no ${what}: pass it in` });
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier") return;
            const members = OUTSIDE[node.object.name];
            if (members === undefined) return;
            const name = node.property.type === "Identifier" ? node.property.name : "";
            if (members.length === 0 || members.includes(name)) {
              refuse(node, `${node.object.name}.${name}`);
            }
          },
          NewExpression(node) {
            if (node.callee.type !== "Identifier") return;
            if (node.callee.name === "Date" && node.arguments.length === 0) {
              refuse(node, "new Date()");
            }
          },
          CallExpression(node) {
            if (node.callee.type !== "Identifier") return;
            if (OUTSIDE_CALLS.has(node.callee.name)) refuse(node, `${node.callee.name}()`);
          },
          ImportDeclaration(node) {
            if (node.importKind === "type") return;
            const named = node.specifiers.map(({ local }) => local.name);
            if (named.length > 0 && named.every((name) => PURE.has(name))) return;
            if (OUTSIDE_MODULES.test(node.source.value)) refuse(node, node.source.value);
          },
        };
      },
    },
    "libraries-on-the-ground-floor": {
      create(context) {
        const path = relative(context.filename);
        if (MAY_OPEN_LIBRARIES.some((folder) => path.startsWith(folder))) return {};
        return {
          MemberExpression(node) {
            const isDeno = node.object.type === "Identifier" && node.object.name === "Deno";
            if (!isDeno || node.property.type !== "Identifier") return;
            if (node.property.name !== "dlopen") return;
            context.report({ node, message: "Only os/ and token/pcsc/ open native libraries" });
          },
        };
      },
    },
  },
};

// deno-lint-ignore sekisho/named-exports -- a lint plugin must be its module's default
export default plugin;

function relative(filename: string): string {
  const path = filename.startsWith("file://") ? new URL(filename).pathname : filename;
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}

/**
 * Which files are cores: bytes, events and `now` go in; bytes, events and the next deadline come
 * out. They have no clock, no random source and no I/O of their own.
 */

/** Folders in which every file is a core, and files that are one. Another file joins by `@core` or "No I/O" in its first comment. */
const CORES: readonly string[] = [
  "gateway/session/events.ts",
  "gateway/session/session.ts",
  "gateway/session/stage.ts",
  "gateway/switch/plan",
  "token/apdu/",
  "token/profile/fault.ts",
  "token/softcard/application.ts",
  "token/softcard/card.ts",
  "token/softcard/piv/",
  "tunnel/protocol/",
];

/** `path` is relative to the root of the project. */
export function isCore(path: string, text: string): boolean {
  if (!/\.tsx?$/.test(path) || /_test\.tsx?$/.test(path) || path.startsWith("tests/")) return false;
  if (CORES.some((core) => path.startsWith(core)) || /(^|\/|_)core\.ts$/.test(path)) return true;
  const first = /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "";
  return /@core\b|\bNo I\/O\b/.test(first);
}

/** `sekisho token` in a lab machine, and settings to issue. */
import assert from "node:assert/strict";
import type { RunResult } from "../lab/machine.ts";
import { ReaderLab } from "./reader_lab.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A well-formed key of a hub. */
export const HUB_KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

/** Runs a command of `token`; fails unless it ends with `code` (0). */
export type Token = (
  args: string[],
  options?: { input?: string; code?: number },
) => Promise<RunResult>;

export function tokenIn({ machine }: ReaderLab): Token {
  return async (args, options = {}) => {
    const { input, code = 0 } = options;
    const result = await machine.run(
      [
        ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-check", "--no-prompt", MAIN],
        ...["token", ...args],
      ],
      { ...(input === undefined ? {} : { input }), env: ReaderLab.insideEnv },
    );
    assert.equal(result.code, code, `token ${args.join(" ")}: ${result.stdout}${result.stderr}`);
    return result;
  };
}

/** Settings as an issuer writes them. */
export const ALICE = `
client_id = "alice"
server_id = "hub"
expires = "2030-01-02"
[user]
id = "alice"
name = "Alice Example"
[tunnel]
addresses = ["10.77.0.2/32", "fd77::2/128"]
dns = ["10.9.0.53"]
[server]
public_key = "${HUB_KEY}"
endpoints = ["vpn.example.org:51820"]
keepalive = 25
[destinations]
networks = ["10.9.0.0/16"]
`;

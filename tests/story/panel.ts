/** The administrator's panel, asked by a program at a terminal. */
import assert from "node:assert/strict";
import type { GatewayStatus } from "../../gateway/view.ts";
import type { Box } from "./box.ts";
import type { Terminal } from "./terminal.ts";

/** Signs in and reads the gateway's status. */
export async function panelStatus(
  terminal: Terminal,
  box: Box,
  password: string,
): Promise<GatewayStatus> {
  const { hostname, port } = box.panel;
  const origin = `https://${hostname}:${port}`;
  const ca = box.authority;
  const signIn = await terminal.do("open", {
    url: `${origin}/sign-in`,
    ca,
    method: "POST",
    headers: { origin, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ password }).toString(),
  });
  assert.equal(signIn.status, 303, signIn.text);
  const cookie = (signIn.headers["set-cookie"] ?? "").split(";")[0] ?? "";
  const status = await terminal.do("open", {
    url: `${origin}/api/v1/status`,
    ca,
    headers: { cookie },
  });
  assert.equal(status.status, 200, status.text);
  return JSON.parse(status.text);
}

/**
 * The gateway's switch, routes and LAN as they are, in a process of their own that a test commands
 * by lines of JSON: {"do": …} in, {"ok": …} or {"error": …} out.
 */
import { TextLineStream } from "./lines.ts";
import type { GatewayConfig } from "../../gateway/config/gateway_config.ts";
import { createLan } from "../../gateway/lan/lan.ts";
import type { SessionGrant } from "../../gateway/switch/grant.ts";
import { createSwitch } from "../../gateway/switch/switch.ts";
import { createUplink } from "../../gateway/uplink/uplink.ts";

export type BoxCommand =
  | { readonly do: "lock" | "close" | "refresh" | "drops" | "traffic" | "ruleset" }
  | { readonly do: "prepare" | "start-lan" | "stop-lan" | "terminals" | "warnings" }
  | { readonly do: "open" | "open-switch"; readonly grant: SessionGrant }
  | { readonly do: "beat" | "suspend"; readonly on: boolean };

if (import.meta.main) {
  const config = JSON.parse(Deno.args[0] ?? "") as GatewayConfig;
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  );
  const run = commander(config);
  console.log(JSON.stringify({ ok: "ready" }));
  for await (const line of lines) {
    try {
      console.log(JSON.stringify({ ok: await run(JSON.parse(line)) ?? null }));
    } catch (error) {
      console.log(JSON.stringify({ error: error instanceof Error ? error.message : error }));
    }
  }
  Deno.exit(0);
}

function commander(config: GatewayConfig): (command: BoxCommand) => unknown {
  const gate = createSwitch(config);
  const uplink = createUplink(config);
  const lan = createLan(config);
  let beat: ReturnType<typeof setInterval> | undefined;
  return async (command) => {
    switch (command.do) {
      case "lock": {
        const begun = performance.now();
        gate.apply(undefined);
        return { at: Date.now(), tookMs: performance.now() - begun };
      }
      case "open":
        await Promise.all([uplink.open(command.grant), lan.open(command.grant)]);
        return gate.apply(command.grant);
      case "open-switch":
        await uplink.open(command.grant);
        return gate.apply(command.grant);
      case "close":
        gate.apply(undefined);
        await Promise.all([uplink.close(), lan.close()]);
        return;
      case "suspend":
        return gate.suspend(command.on);
      case "beat":
        clearInterval(beat);
        if (command.on) beat = setInterval(() => gate.refresh(), 1000);
        return;
      case "refresh":
        return gate.refresh();
      case "drops":
        return gate.drops();
      case "traffic":
        return gate.terminals();
      case "ruleset":
        return gate.ruleset();
      case "prepare":
        return await uplink.prepare();
      case "start-lan":
        return await lan.start();
      case "stop-lan":
        return await lan.stop();
      case "terminals":
        return await lan.terminals();
      case "warnings":
        return lan.warnings();
    }
  };
}

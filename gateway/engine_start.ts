/** What an engine is told when it starts, from the box's configuration. No I/O. */
import type { GatewayConfig, ShareConfig } from "./config/gateway_config.ts";
import type { ToEngine } from "./engine/messages.ts";
import { boxAddresses } from "./lan/dns_plan.ts";

/** @param reader The reader, or the device of a stick, that it is to own. */
export function engineStart(
  config: GatewayConfig,
  { reader, stick }: { readonly reader: string; readonly stick: string | undefined },
): Extract<ToEngine, { type: "start" }> {
  return {
    type: "start",
    reader,
    ...(stick === undefined ? {} : { stick }),
    issuers: issuerTexts(config),
    ...(config.token.ask_user_id ? { asksUserId: true } : {}),
    ...profilesStart(config.token),
    tunnelInterface: config.tunnel.interface,
    ...(config.tunnel.listenPort === undefined ? {} : { listenPort: config.tunnel.listenPort }),
    kernel: config.tunnel.kernel,
    ...(config.passkeys === undefined ? {} : { passkeys: { add: config.passkeys.add } }),
    ...(config.share === undefined ? {} : { share: shareStart(config.share, config) }),
  };
}

/** Whose profiles the box takes: public keys, base64url. */
export function issuerTexts(config: GatewayConfig): string[] {
  return config.token.issuers.map((key) =>
    key.toBase64({ alphabet: "base64url", omitPadding: true })
  );
}

/** Where an engine looks for the profiles of cards that have no room. */
function profilesStart({ profiles, hub_profiles: store }: GatewayConfig["token"]) {
  return {
    ...(profiles === undefined ? {} : { profiles }),
    ...(store === undefined ? {} : { store: { hub: store.hub, keyFile: store.key_file } }),
  };
}

function shareStart(share: ShareConfig, config: GatewayConfig) {
  const { idleMs, hardMs, beforeUnlock, pin, allow, readerPort } = share;
  return {
    ...{ idleMs, hardMs, beforeUnlock, pin, allow: [...allow] },
    ...(readerPort === undefined
      ? {}
      : { reader: { addresses: boxAddresses(config), port: readerPort } }),
  };
}

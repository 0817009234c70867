/** The role `gateway`: configuration in, the appliance and its web up, everything down on a signal. */
import { parseArgs } from "node:util";
import { loadGatewayConfig } from "../gateway/config/load.ts";
import type { GatewayConfig } from "../gateway/config/gateway_config.ts";
import { type Gateway, startGateway } from "../gateway/gateway.ts";
import { openStore } from "../gateway/store/store.ts";
import { boxNames } from "../gateway/lan/dns_plan.ts";
import { boxCertificate } from "../gateway/tls/box_certificate.ts";
import { ConfigError } from "../os/config.ts";
import { serveGatewayWeb } from "./gateway_web.ts";

const HELP = `Usage: sekisho gateway --config FILE
       sekisho gateway --config FILE --set-admin-password < FILE
       sekisho gateway --config FILE --passkeys | --forget-passkey WORD

The box between terminals and the Internet: watches the card reader, asks for the PIN on the
terminals' portal, opens the tunnel while the card is in, and shows the administrator a panel.
Ends on SIGINT and SIGTERM; terminals stay closed off.

  --config FILE          the configuration (TOML); docs/guide tells its keys
  --set-admin-password   take the panel's password from the first line of standard input, and end
  --passkeys             show the passkeys that holders added here, each with its word, and end; a word
                         is no secret, and token passkey add puts it into the token's own profile
  --forget-passkey WORD  forget one: from the next insertion on it opens nothing here
  --help                 this text
`;

/** Shortest password that the panel takes. */
const MIN_PASSWORD = 10;

export async function gatewayRole(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === "string") {
    console.error(`Cannot start the gateway: ${options}; see "sekisho gateway --help"`);
    return 2;
  }
  if (options.help) {
    console.log(HELP.trimEnd());
    return 0;
  }
  let config: GatewayConfig;
  try {
    config = await loadGatewayConfig(options.config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 2;
  }
  if (options.setAdminPassword) return await setAdminPassword(config);
  if (options.passkeys) return showPasskeys(config);
  if (options.forget !== undefined) return forgetPasskey(config, options.forget);
  await ensureAdminPassword(config);
  return await serve(config);
}

async function serve(config: GatewayConfig): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stopping.abort());
  }
  const gateway = await startGateway(config);
  try {
    const web = await serveWeb(config, { gateway, signal: stopping.signal });
    console.log(`Sekisho gateway "${config.name}": panel at ${web.panel}, portal at ${web.portal}`);
    // Not held up by whoever holds a request open: the session ends when it is told to.
    await Promise.race([web.finished, aborted(stopping.signal)]);
  } finally {
    await gateway.stop();
  }
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function serveWeb(
  config: GatewayConfig,
  { gateway, signal }: { gateway: Gateway; signal: AbortSignal },
): Promise<{ panel: string; portal: string; finished: Promise<void> }> {
  const { httpPort, httpsPort } = config.portal;
  const hosts = [config.lan.address, config.lan.address6]
    .flatMap((address) => address === undefined ? [] : [address.split("/")[0] ?? ""]);
  const certificate = await boxCertificate(config);
  const portal = siteUrl(hosts[0] ?? "", httpsPort);
  const web = await serveGatewayWeb(gateway, {
    portal: hosts.map((hostname) => ({ hostname, httpPort, httpsPort })),
    panel: { hostname: config.panel.host, port: config.panel.port },
    certificate: { cert: certificate.chain, key: certificate.key },
    portalUrl: portal,
    names: boxNames(config),
    ...(config.passkeys === undefined ? {} : {
      passkeys: { name: config.passkeys.name, url: siteUrl(config.passkeys.name, httpsPort) },
    }),
    signal,
  });
  const panel = `https://${web.panel.hostname}:${web.panel.port}/`;
  return { panel, portal, finished: web.finished };
}

function siteUrl(host: string, port: number): string {
  return `https://${host}${port === 443 ? "" : `:${port}`}/`;
}

/** A box that nobody gave a password gets one, said once: never a known one, never none. */
async function ensureAdminPassword(config: GatewayConfig): Promise<void> {
  const store = openStore(config.state);
  try {
    if (store.settings.hasAdminPassword()) return;
    const password = crypto.getRandomValues(new Uint8Array(10)).toHex().replace(
      /(.{5})(?!$)/g,
      "$1-",
    );
    await store.settings.setAdminPassword(password);
    console.log(
      `The panel's password is ${password}; it is said only now. ` +
        `Change it with "sekisho gateway --config … --set-admin-password".`,
    );
  } finally {
    store.close();
  }
}

async function setAdminPassword(config: GatewayConfig): Promise<number> {
  const [password = ""] = (await new Response(Deno.stdin.readable).text()).split(/\r?\n/);
  if (password.length < MIN_PASSWORD) {
    console.error(
      `Cannot set the password: it has ${password.length} characters; ` +
        `give at least ${MIN_PASSWORD} on standard input`,
    );
    return 2;
  }
  const store = openStore(config.state);
  try {
    await store.settings.setAdminPassword(password);
    store.journal.record("warning", "admin-password-set", {});
  } finally {
    store.close();
  }
  console.log("The panel's password is set.");
  return 0;
}

function showPasskeys(config: GatewayConfig): number {
  const store = openStore(config.state);
  const all = store.passkeys.all();
  store.close();
  for (const { cardId, name, addedAt, word } of all) {
    console.log(`${cardId}  ${name}  ${new Date(addedAt).toISOString()}\n  ${word}`);
  }
  if (all.length === 0) console.error("note: nobody has added a passkey here");
  return 0;
}

function forgetPasskey(config: GatewayConfig, word: string): number {
  const store = openStore(config.state);
  try {
    const found = store.passkeys.all().find((one) => one.word === word);
    if (found === undefined || !store.passkeys.forget(word)) {
      console.error(
        "Cannot forget the passkey: it is not kept here; --passkeys shows those that are",
      );
      return 1;
    }
    const { cardId: card, name: passkey } = found;
    store.journal.record("warning", "passkey-removed", { card, passkey });
    console.log(`The passkey ${passkey} of ${card} is forgotten.`);
    return 0;
  } finally {
    store.close();
  }
}

interface Options {
  readonly config: string;
  readonly setAdminPassword: boolean;
  readonly passkeys: boolean;
  /** The word of a passkey. */
  readonly forget: string | undefined;
  readonly help: boolean;
}

function optionsOf(
  args: readonly string[],
): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: "string" },
        "set-admin-password": { type: "boolean" },
        passkeys: { type: "boolean" },
        "forget-passkey": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    const help = values.help ?? false;
    if (values.config === undefined && !help) return "no --config FILE given";
    const setAdminPassword = values["set-admin-password"] ?? false;
    const { passkeys = false, "forget-passkey": forget } = values;
    return { config: values.config ?? "", setAdminPassword, passkeys, forget, help };
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
}
